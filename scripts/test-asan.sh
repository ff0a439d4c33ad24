#!/usr/bin/env bash
# Runs the test suite under AddressSanitizer, on the stable compiler.
#
#   scripts/test-asan.sh [arguments of `cargo test`...]
set -euo pipefail

cd "$(dirname "$0")/.."
. scripts/suite.sh

skip=(
    overflow # rustc leaves stack probes out under the sanitizer: large frames step over the guard
    large_frames_are_probed # for the same reason there are no probes to be found
    _flat    # resident memory does not stay flat: the sanitizer keeps what was freed, up to 256 MiB
    no_address_space # limits the address space, of which the sanitizer takes terabytes
    masked   # what the kernel may lack, which is tried without the sanitizer
    million  # a million greenlets: the shadow memory of their stacks does not fit
)

asan_options=(
    # With fake stacks, which belong to threads, a test that ends its thread with greenlets still
    # suspended would have locals in memory that went with it.
    detect_stack_use_after_return=0
    # It would unmap whatever alternate signal stack it finds at the end of a thread, ours too.
    use_sigaltstack=0
    # Its handlers would hide what ours says about a fault, and what a faulting child dies of.
    handle_segv=0
    handle_sigbus=0
    # What a suspended greenlet owns is reachable from its stack only, where nobody looks.
    detect_leaks=0
)
options=$(
    IFS=:
    echo "${asan_options[*]}"
)
export ASAN_OPTIONS=$options${ASAN_OPTIONS:+:$ASAN_OPTIONS}

# Sanitizers are unstable options; this makes stable take them.
export RUSTC_BOOTSTRAP=1
# A greenlet that ends leaves its frames without returning, and the marks around their locals would
# still stand when its stack is used again: no marks on stacks, then. All memory is still checked.
export RUSTFLAGS="-Zsanitizer=address -Cllvm-args=-asan-stack=0${RUSTFLAGS:+ $RUSTFLAGS}"
export CARGO_TARGET_DIR=$PWD/target/asan

planted_flags=(-Zsanitizer=address)
must_report heap-use-after-free env
# Named by --target, so that build scripts are not instrumented.
run_suite --target "$host" "$@"
