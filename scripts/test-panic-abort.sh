#!/usr/bin/env bash
# Runs the test targets that make sense without unwinding in a build with panic = "abort".
#
#   scripts/test-panic-abort.sh [arguments of `cargo test`...]
#
# Each test runs in a process of its own, so that one which aborts is one failure.
set -euo pipefail

cd "$(dirname "$0")/.."
. scripts/suite.sh

targets=(
    panic_abort # what is different here, said test by test
    asm         # the switch saves and restores the same
    walk        # stacks are walked by the same tables
    rules       # no rule names a test that is not there
)
skip=(
    a_destructor_shows a_panic_hook_shows # raise
    greenlets_keep_what_a_call_keeps      # throws at frames that would have to unwind
    gdb_walks                             # looks for its scene in the process of the harness
)

chosen=()
for target in "${targets[@]}"; do
    if [ -e "tests/$target.rs" ] || [ -e "tests/$target/main.rs" ]; then
        chosen+=(--test "$target")
    else
        echo "test-panic-abort: no test target $target" >&2
    fi
done

[ ${#chosen[@]} -gt 0 ] || exit 77 # what .ci/run calls "not there yet"

# A test harness without unwinding is an unstable option; this makes stable take it.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-C panic=abort -Zpanic-abort-tests${RUSTFLAGS:+ $RUSTFLAGS}"
export CARGO_TARGET_DIR=$PWD/target/panic-abort
# Named by --target, so that build scripts keep unwinding.
run_suite --target "$host" "${chosen[@]}" "$@"
