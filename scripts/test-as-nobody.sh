#!/usr/bin/env bash
# Runs the test suite as the ordinary user `nobody`, who may lock little memory: root sees neither
# the limits of memory locking nor a file it may not open.
#
#   scripts/test-as-nobody.sh [--memlock KIB] [arguments of `cargo test`...]
#
# --memlock KIB   the limit of lockable memory, 64 KiB when not given
#
# Root builds: nobody may not read root's toolchain. Cargo's runner then drops every right before it
# starts a test executable. Where nobody may not read the checkout either (in root's home, say), a copy
# of the tracked files is built. Tests get a home and a temporary folder of nobody's own. Started by
# an ordinary user, the script runs as that user.
set -euo pipefail

cd "$(dirname "$0")/.."
. scripts/suite.sh

skip=(
    masked # what the kernel may lack does not depend on the user
    locked_memory # locks all of its memory, which the limit forbids
    rings_come_and_go # the rings of other tests, which the kernel frees late, use up the same limit
)

memlock_kib=64
if [ "${1:-}" = --memlock ]; then
    memlock_kib=${2:?--memlock wants a number of KiB}
    shift 2
fi

umask 022
place=$(mktemp -d "${TMPDIR:-/tmp}/greenlet-nobody.XXXXXX")
trap 'rm -rf "$place"' EXIT

user=$(id -un)
drop_rights=()
if [ "$(id -u)" = 0 ]; then
    user=nobody
    drop_rights=(setpriv "--reuid=$user" "--regid=$(id -gn $user)" --clear-groups
        --inh-caps=-all --bounding-set=-all --no-new-privs)
fi
limit=$((memlock_kib * 1024))

mkdir "$place/home" "$place/tmp"
if [ "$user" = nobody ] && "${drop_rights[@]}" test -r Cargo.toml; then
    CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
else
    mkdir "$place/checkout"
    git ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
        tar --create --null --files-from=- | tar --extract --no-same-owner --directory="$place/checkout"
    cd "$place/checkout"
    CARGO_TARGET_DIR=$place/target
fi
export CARGO_TARGET_DIR

run_suite --no-run "$@"
if [ "$user" = nobody ]; then
    chown -R "$user:" "$place"
    chmod 1777 "$CARGO_TARGET_DIR/tmp" # CARGO_TARGET_TMPDIR: tests write there
fi

declare -x "$(runner_variable)=prlimit --memlock=$limit:$limit ${drop_rights[*]} \
env HOME=$place/home TMPDIR=$place/tmp"
run_suite "$@"
