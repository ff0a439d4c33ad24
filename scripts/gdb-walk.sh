#!/bin/sh
# Lets gdb walk the stacks of the scene in tests/walk/scene.rs, at every instruction of the entry, of
# the walk from outside and of a switch.
#
#   scripts/gdb-walk.sh [the executable of `cargo test --test walk`]
#
# Status: 0 all walks are right; 77 skipped (no gdb, no Python in it, or it may not trace here);
# anything else is a failure.
set -eu

scripts=$(cd "$(dirname "$0")" && pwd)

skip() {
    echo "gdb-walk: skipped: $*"
    exit 77
}

command -v gdb >/dev/null || skip "there is no gdb"
gdb -nx -batch -ex 'python print("python")' 2>/dev/null | grep -q '^python$' || skip "this gdb has no Python"
# shellcheck disable=SC2016 # $_exitcode is gdb's
gdb -nx -batch -ex 'set startup-with-shell off' -ex run -ex 'print $_exitcode' /bin/true 2>&1 |
    grep -q '= 0$' || skip "gdb may not trace programs here"

if [ $# -gt 0 ]; then
    executable=$1
else
    cd "$scripts/.."
    executable=$(cargo test --test walk --no-run --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)
fi

# Not the kernel's random addresses, not the system's debug symbols: the same walk everywhere.
exec timeout 300 gdb -nx -batch -q \
    -iex 'set debuginfod enabled off' -iex 'set auto-load no' \
    -x "$scripts/gdb-walk.py" \
    --args "$executable" scene::play --exact --nocapture --test-threads=1
