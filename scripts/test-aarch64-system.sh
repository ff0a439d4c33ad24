#!/usr/bin/env bash
# Builds the tests for aarch64 Linux and runs each test executable on an emulated machine of its own,
# under the kernel that Debian has for arm64. Unlike qemu-user this has io_uring, real signals, real
# page protection, and a kernel older than most: 6.1 on Debian 12.
#
#   scripts/test-aarch64-system.sh [arguments of `cargo test`...]
#   scripts/test-aarch64-system.sh --boot EXECUTABLE [ARGUMENT...]     # one machine, one executable
#
# GREENLET_HUB=epoll       another hub than io_uring, which is asked for so that none falls back
# GREENLET_AARCH64_CPU     as for test-aarch64.sh
# GREENLET_AARCH64_LIMIT   how long each machine may run, 1800 seconds when not given
# GREENLET_NO_INSTALL=1    do not install or download missing packages, name them and fail
#
# The machine has one processor, and a clock that counts its instructions: it does not know how slow
# it is, nor how busy its host, and who sleeps there does not sleep here. In it are the executable,
# its libraries and busybox; no network but the loopback interface.
#
# All of it took 20 minutes on two cores that were busy with other things; half of that were the unit
# tests, `crash`, `hub` and `lifetime`.
#
# What a green run here does not show: two processors at once, memory ordering, guard regions by
# madvise (6.13), pages of 16 or 64 KiB, and what is left out below.
set -euo pipefail

cd "$(dirname "$0")/.."
. scripts/packages.sh

parts=target/aarch64-system
results=$parts/results
libraries=(ld-linux-aarch64.so.1 libc.so.6 libm.so.6 libgcc_s.so.1)

die() {
    echo "test-aarch64-system: $*" >&2
    exit 125
}

# The kernel, and the shell that is its first process: kept in target/, never installed.
fetch_parts() {
    local folder kernel
    [ ! -e $parts/busybox ] || return 0
    # linux-image-cloud-arm64 is an empty package that depends on the newest kernel.
    kernel=$(apt-cache depends linux-image-cloud-arm64:arm64 |
        sed -n 's/.*Depends: \(linux-image-[^:]*\).*/\1/p' | head -n 1)
    [ -n "$kernel" ] || die "apt knows no linux-image-cloud-arm64:arm64"
    folder=$(mktemp -d)
    unpack_package arm64 "$kernel" "$folder" || die "no kernel"
    unpack_package arm64 busybox-static "$folder" || die "no shell"
    mkdir -p $parts
    gzip --decompress --stdout --force "$folder"/boot/vmlinuz-* >$parts/kernel
    cp "$folder/bin/busybox" $parts/busybox
    rm -rf "$folder"
}

# What the kernel starts. The job's status is the last thing that it says.
first_process() {
    cat <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
mkdir /dev/shm /dev/pts
mount -t tmpfs none /dev/shm
mount -t devpts none /dev/pts
ln -s /proc/self/fd /dev/fd
exec </dev/null >/dev/ttyAMA0 2>&1
stty -opost </dev/ttyAMA0
ifconfig lo 127.0.0.1 up
. /job
status=$?
echo
echo "@@status $status"
poweroff -f
END
}

# The job: where it runs, with which variables, what.
job() {
    local name
    echo "cd ${PWD@Q}"
    for name in $(compgen -e | grep -E '^(GREENLET|RUST)_'); do
        echo "export $name=${!name@Q}"
    done
    echo "${*@Q}"
}

# boot EXECUTABLE [ARGUMENT...]: its status; 124 if it did not end in time; 125 if there was no machine.
boot() {
    local cpu=${GREENLET_AARCH64_CPU:-max} limit=${GREENLET_AARCH64_LIMIT:-1800}
    local place root library machine machines_own=0 status
    place=$(mktemp -d)
    root=$place/root
    mkdir -p "$root"/{bin,dev,etc,lib,proc,sys,tmp} "$root$PWD" "$root$(dirname "$1")"
    for library in "${libraries[@]}"; do
        cp --dereference "/lib/aarch64-linux-gnu/$library" "$root/lib/"
    done
    cp $parts/busybox "$root/bin/"
    cp "$1" "$root$1"
    echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
    echo '127.0.0.1 localhost' >"$root/etc/hosts"
    job "$@" >"$root/job"
    first_process >"$root/init"
    chmod 755 "$root/init" "$root$1"
    (cd "$root" && find . | cpio --quiet --create --format=newc --owner=0:0) >"$place/files"
    rm -rf "$root"

    [ "$cpu" != max ] || cpu=max,pauth-impdef=on # pointers signed by a cheaper function
    machine=(
        qemu-system-aarch64 -machine 'virt,gic-version=3' -cpu "$cpu" -icount 'shift=2,sleep=off' -m 2048
        -nodefaults -display none -serial stdio -no-reboot
        -kernel "$parts/kernel" -initrd "$place/files"
        -append "console=ttyAMA0 quiet loglevel=1 panic=-1"
    )
    timeout --foreground --kill-after=10 "$limit" "${machine[@]}" </dev/null |
        tee "$place/output" | sed --unbuffered '/^@@status/,$d' || machines_own=${PIPESTATUS[0]}
    status=$(sed -n 's/^@@status //p' "$place/output")
    rm -rf "$place"
    [ -z "$status" ] || return "$status"
    if [ "$machines_own" = 124 ]; then
        echo "test-aarch64-system: not ended after $limit s" >&2
        return 124
    fi
    echo "test-aarch64-system: the machine ended before its job, with status $machines_own" >&2
    return 125
}

need_packages qemu-system-arm cpio
fetch_parts
if [ "${1:-}" = --boot ]; then
    shift
    began=$SECONDS
    status=0
    boot "$(realpath "$1")" "${@:2}" || status=$?
    echo "$(basename "$1") $status $((SECONDS - began))" >>$results
    exit $status
fi

. scripts/suite.sh

skip=(
    million # a million greenlets: minutes at this speed
    masked  # the suite of `net` many times
    gdb_    # there is no gdb
)
# Those that need neither programs nor files of the host's.
suites=(
    allocations asm crash greenlet hub lifetime monitor net offload panic_abort pool queue server sync task
    threads time values walk
)
export GREENLET_HUB=${GREENLET_HUB:-uring} GREENLET_STORM=${GREENLET_STORM:-2000}
export GREENLET_SEEDS=${GREENLET_SEEDS:-20}

eval "$(scripts/test-aarch64.sh --env-only)"
: >$results

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="scripts/test-aarch64-system.sh --boot"
if [[ ! " $* " =~ \ --(tests?|lib|bins?|examples?)[=\ ] ]]; then
    set -- --lib "${suites[@]/#/--test=}" "$@"
fi
status=0
run_suite "$@" || status=$?

echo "under $(strings $parts/kernel | grep -m 1 '^Linux version' | cut -d ' ' -f 1-3):"
while read -r name code seconds; do
    case $code in
    0) code=passed ;;
    124) code="timed out" ;;
    *) code="FAILED ($code)" ;;
    esac
    echo "  $name: $code, $seconds s"
done <$results
exit $status
