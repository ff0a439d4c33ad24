#!/usr/bin/env bash
# Runs the test suite under AddressSanitizer, on the stable compiler.
#
#   scripts/test-asan.sh [arguments of `cargo test`...]
set -euo pipefail

cd "$(dirname "$0")/.."
. scripts/suite.sh

skip=(
    overflow # overflows a stack on purpose: the sanitizer's own handler takes the fault
    million  # a million greenlets: the shadow memory of their stacks does not fit
)

# Without this setting locals live on a fake stack that belongs to the thread, and a test that ends
# its thread with greenlets still suspended has locals in memory that went with it.
export ASAN_OPTIONS=detect_stack_use_after_return=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
# Sanitizers are unstable options; this makes stable take them.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=address${RUSTFLAGS:+ $RUSTFLAGS}"
export CARGO_TARGET_DIR=$PWD/target/asan

planted_flags=(-Zsanitizer=address)
must_report heap-use-after-free env
# Named by --target, so that build scripts are not instrumented.
run_suite --target "$host" "$@"
