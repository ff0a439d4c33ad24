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

without+=(
    sim # ten times as many greenlets as all the others, with the same switches
    allocations # counts calls of an allocator that is not memcheck's
    crash rules porting # children only, which are not followed; texts
)
skip=(
    overflow # overflows a stack on purpose, which memcheck reports and then stops
    # These write from outside to stacks on which other tests ran greenlets, whose dead frames
    # memcheck holds against them; and one of them finds valgrind's own executable mappings.
    stack::cache::tests
    stack::owned::tests
    stack::region::tests
    stacks_of_the_callers_memory # one stack inside of another, whose switches look like calls
    million  # a million greenlets: hours at this speed
    five_thousand list::model readiness::tests::model # minutes; the address sanitizer sees them, too
    driver::uring # memcheck does not see what the kernel writes by way of a ring, and stops its threads
    masked   # children, each with the suite of `net`
    rounding_mode # memcheck knows one
)
# For the same reason the hub runs on epoll here; and storms are small.
export GREENLET_HUB=epoll GREENLET_STORM=2000 GREENLET_SEEDS=20

need_packages valgrind

# Children that tests start are not followed: most of them die on purpose.
# No search for leaks at the end: it reads all memory that slabs reserve, gigabytes that nobody touched.
memcheck=(valgrind --quiet --error-exitcode=9 --leak-check=no --num-callers=30 --trace-children=no)

must_report "Invalid read" "${memcheck[@]}"
declare -x "$(runner_variable)=${memcheck[*]}"
run_suite --all-features "$@"
