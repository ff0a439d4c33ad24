#!/usr/bin/env bash
# Runs the test suite under valgrind's memcheck, with every greenlet stack announced to it.
#
#   scripts/test-valgrind.sh [arguments of `cargo test`...]
#
# GREENLET_NO_INSTALL=1  do not install valgrind when it is missing, but fail
set -euo pipefail

cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/suite.sh

skip=(
    overflow # overflows a stack on purpose, which memcheck reports and then stops
    churn_leaves # writes to stacks from outside, some of which other tests have run greenlets on
    mapping_is_not_executable # finds valgrind's own mappings, which are
    million  # a million greenlets: hours at this speed
)

need_packages valgrind

# Children that tests start are not followed: most of them die on purpose.
memcheck=(valgrind --quiet --error-exitcode=9 --num-callers=30 --trace-children=no)

must_report "Invalid read" "${memcheck[@]}"
declare -x "$(runner_variable)=${memcheck[*]}"
run_suite --features valgrind "$@"
