#!/usr/bin/env bash
# Looks at what the crate is built into, with readelf, and at a running C program that links it:
#
# - no executable stack: every object carries .note.GNU-stack, no program header asks for one
#   (a file of assembly without the note makes GNU ld give a C program an executable stack);
# - no object claims shadow stacks or indirect branch tracking, which the switch does not keep
#   (a claim by all objects would let the C library turn them on);
# - nothing is mapped writable and executable while greenlets live;
# - as a shared library that is loaded at run time the crate works, on every thread.
#
#   scripts/check-binary.sh            # this machine
#   scripts/check-binary.sh aarch64    # cross-built, run under qemu-user
#
# GREENLET_NO_INSTALL=1  do not install missing packages, name them and fail
set -euo pipefail

cd "$(dirname "$0")/.."
. scripts/packages.sh

crate=$PWD
linker=gcc
runner=''
case ${1:-} in
'') need_packages binutils gcc libc6-dev ;;
aarch64)
    eval "$(scripts/test-aarch64.sh --env-only)"
    linker=$CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER
    runner=$CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER
    ;;
*)
    echo "check-binary: no such architecture: $1" >&2
    exit 1
    ;;
esac

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
failures=0

fault() {
    echo "check-binary: $*" >&2
    failures=$((failures + 1))
}

# A crate of its own and not a target of ours: only here is the crate a C program's library.
build_libraries() {
    mkdir "$place/crate"
    cat >"$place/crate/Cargo.toml" <<END
[package]
name = "binary"
edition = "2024"
[lib]
path = "$crate/tests/binary/lib.rs"
crate-type = ["staticlib", "cdylib"]
[dependencies]
greenlet = { path = "$crate", features = ["fpenv", "valgrind"] }
[workspace]
END
    cp Cargo.lock "$place/crate/"
    CARGO_TARGET_DIR=$place/target cargo build --release --manifest-path "$place/crate/Cargo.toml"
    libraries=$place/target/${CARGO_BUILD_TARGET:-}/release
}

# check_object FILE NAME
check_object() {
    local sections
    sections=$(readelf --wide --sections "$1")
    case $sections in
    *' .note.GNU-stack '*) ;;
    *) fault "$2: no .note.GNU-stack" ;;
    esac
    ! grep -q ' \.note\.GNU-stack .* X ' <<<"$sections" || fault "$2: asks for an executable stack"
    check_claims "$1" "$2"
}

check_claims() {
    case $(readelf --wide --notes "$1") in
    *IBT* | *SHSTK*) fault "$2: claims indirect branch tracking or shadow stacks" ;;
    esac
}

# Every object that rustc made; the standard library's own assembly (on aarch64 without the note,
# which only x86 linkers act on) shows in the program below.
check_archive() {
    local name objects object count=0
    name=$(basename "$1")
    objects=$place/objects/$name
    mkdir -p "$objects"
    (cd "$objects" && ar x "$1")
    for object in "$objects"/*.rcgu.o; do
        check_object "$object" "$name($(basename "$object"))"
        count=$((count + 1))
    done
    echo "check-binary: $name: $count objects"
}

# What is loaded into memory: a program or a shared library.
check_image() {
    local name headers
    name=$(basename "$1")
    headers=$(readelf --wide --program-headers "$1")
    grep -qE '^ *GNU_STACK .* RW +0' <<<"$headers" || fault "$name: its stack is not plain RW"
    ! grep -qE '^ *LOAD .* RWE ' <<<"$headers" || fault "$name: a segment is writable and executable"
    check_claims "$1" "$name"
    echo "check-binary: $name: program headers"
}

check_mappings() {
    # shellcheck disable=SC2086 # no runner is no word
    $runner "$1" >"$place/maps" || fault "$(basename "$1") failed"
    [ -s "$place/maps" ] || fault "$(basename "$1") printed no mappings"
    ! grep -E '^[^ ]+ .wx' "$place/maps" || fault "a mapping is writable and executable"
    echo "check-binary: $(wc -l <"$place/maps") mappings"
}

# What comes into a running process, with more thread-locals than the C library keeps room for.
check_loading() {
    "$linker" -o "$place/loader" tests/binary/loaded.c -lpthread -ldl
    # shellcheck disable=SC2086 # no runner is no word
    $runner "$place/loader" "$1" || fault "$(basename "$1") loaded at run time failed ($?)"
    echo "check-binary: $(basename "$1"): loaded at run time"
}

# A check that cannot fail says nothing: these two objects have what is looked for.
check_the_checks() {
    local before=$failures planted=1
    echo '.text' | "$linker" -x assembler -c -o "$place/bare.o" -
    check_object "$place/bare.o" planted 2>/dev/null
    if [ -z "$runner" ] && [ "$(uname -m)" = x86_64 ]; then
        echo 'int f;' | "$linker" -fcf-protection=full -x c -c -o "$place/claims.o" -
        check_object "$place/claims.o" planted 2>/dev/null
        planted=2
    fi
    planted=$((planted - (failures - before)))
    failures=$before
    [ $planted = 0 ] || fault "$planted of the planted faults were not found"
}

build_libraries
check_the_checks
rlibs=("$libraries"/deps/libgreenlet-*.rlib)
check_archive "${rlibs[0]}"
check_archive "$libraries/libbinary.a"
check_image "$libraries/libbinary.so"
"$linker" -Wl,--fatal-warnings -o "$place/program" tests/binary/main.c "$libraries/libbinary.a" \
    -lgcc_s -lpthread -lm -ldl
check_image "$place/program"
check_mappings "$place/program"
check_loading "$libraries/libbinary.so"

if [ $failures != 0 ]; then
    echo "check-binary: $failures faults" >&2
    exit 1
fi
echo "check-binary: no fault"
