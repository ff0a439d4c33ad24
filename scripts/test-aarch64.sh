#!/usr/bin/env bash
# Builds the tests for aarch64 Linux and runs them under qemu-user, on an x86_64 Debian machine.
#
#   scripts/test-aarch64.sh [arguments of `cargo test`...]
#   eval "$(scripts/test-aarch64.sh --env-only)"     # then plain `cargo test`, `cargo build`, ...
#
# GREENLET_AARCH64_CPU   qemu's CPU model (default max: BTI, PAC, SVE; cortex-a72 is the small one)
# GREENLET_NO_INSTALL=1  do not install missing packages, name them and fail
#
# What a green run here does not show: memory ordering (the host's is stronger), guard regions by
# madvise (qemu-user says yes and installs none, so the mprotect guard is what runs), io_uring
# (refused; test-aarch64-system.sh has it), pages of 16 or 64 KiB, timings.
set -euo pipefail

cd "$(dirname "$0")/.."
. scripts/packages.sh

target=aarch64-unknown-linux-gnu
qemu=/usr/bin/qemu-aarch64-static
linker=aarch64-linux-gnu-gcc
rustc=/usr/bin/rustc

die() {
    echo "test-aarch64: $*" >&2
    exit 1
}

# rustup's rustc cannot use Debian's standard library for aarch64 (the versions differ), so both
# come from Debian; cargo may be any. The libraries for arm64 are what the tests load; some compile
# C++ while they run.
packages=(
    rustc-web:amd64 libstd-rust-web-dev:arm64
    gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross
    libc6:arm64 libgcc-s1:arm64 libstdc++6:arm64
    qemu-user-static
)

check_machine() {
    [ "$(uname -m)" = x86_64 ] ||
        die "emulates aarch64 on x86_64; this machine is $(uname -m): run \`cargo test\` there"
    if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
        die "takes its aarch64 compiler and libraries from Debian packages; this is not Debian"
    fi
    command -v cargo >/dev/null || die "cargo is not in PATH"
    need_packages --arch arm64 "${packages[@]}" || die "packages are missing"
    local libdir
    libdir=$("$rustc" --print target-libdir --target "$target")
    compgen -G "$libdir/libcore-*.rlib" >/dev/null ||
        die "no standard library in $libdir: rustc-web and libstd-rust-web-dev:arm64 differ in version"
}

# A test that starts itself as a child asks the kernel, not qemu, to run an aarch64 file.
register_with_kernel() {
    local registry=/proc/sys/fs/binfmt_misc
    local magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    local mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    [ -e $registry/register ] ||
        as_root mount -t binfmt_misc binfmt_misc $registry 2>/dev/null || return 1
    # Another name is fine, so is a stale one of ours: what counts is that some entry is enabled.
    ! grep -qls '^magic 7f454c460201010000000000000000000200b700' $registry/* || return 0
    echo ":greenlet-aarch64:M::$magic:$mask:$qemu:F" |
        as_root tee $registry/register >/dev/null 2>&1
}

# `-L /`, not /usr/aarch64-linux-gnu: there the loader of one build of glibc would load the libc of
# another, and the first pthread_create would spin for ever. Children inherit both as variables.
environment() {
    cat <<END
export RUSTC='$rustc'
export RUSTDOC='/usr/bin/rustdoc'
export CARGO_BUILD_TARGET='$target'
export CARGO_TARGET_DIR='$PWD/target/aarch64'
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER='$linker'
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='$qemu'
export CC_aarch64_unknown_linux_gnu='$linker'
export AR_aarch64_unknown_linux_gnu='aarch64-linux-gnu-ar'
export QEMU_LD_PREFIX='/'
export QEMU_CPU='${GREENLET_AARCH64_CPU:-max}'
END
}

# A set-up that cannot run threads or children would otherwise look like a failing test.
smoke() {
    local dir
    dir=$(mktemp -d)
    cat >"$dir/smoke.rs" <<'END'
fn main() {
    if std::env::args().len() > 1 {
        return print!("o");
    }
    let child = || std::process::Command::new(std::env::current_exe().unwrap()).arg("child").status();
    let status = std::thread::spawn(child).join().unwrap();
    println!("{}", if status.is_ok_and(|s| s.success()) { "k" } else { " child" });
}
END
    "$rustc" --target "$target" -C "linker=$linker" -o "$dir/smoke" "$dir/smoke.rs"
    local answer
    answer=$(timeout 60 "$qemu" "$dir/smoke") || answer="nothing"
    rm -rf "$dir"
    case $answer in
    ok) ;;
    *child) echo "test-aarch64: no binfmt_misc here: tests that start child processes will fail" >&2 ;;
    *) die "qemu-user cannot run a threaded aarch64 program (it printed $answer)" ;;
    esac
}

check_machine
register_with_kernel || true
if [ "${1:-}" = --env-only ]; then
    environment
    exit
fi
eval "$(environment)"
smoke
exec cargo test "$@"
