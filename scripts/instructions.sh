#!/bin/sh
# Instructions per operation, counted by callgrind: a regression gate that no noise can blur.
#
#   scripts/instructions.sh            compare with benches/instructions.txt; fail above 2 % more
#   scripts/instructions.sh --update   write benches/instructions.txt anew
#
# Each operation runs N and 2N times; the difference over N is exact and free of what start-up costs.
# Rows of peers are printed for comparison and never fail.
set -eu
cd "$(dirname "$0")/.."

expected=benches/instructions.txt
count=10000
tolerance=2
peers='corosensei'
export LC_ALL=C

if ! command -v valgrind >/dev/null; then
    echo "instructions: valgrind is missing (apt-get install valgrind); nothing was counted" >&2
    exit 3
fi

cargo build --quiet --release -p greenlet-benches --bin instructions
program=${CARGO_TARGET_DIR:-target}/release/instructions

collected() {
    log=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1) || {
        echo "$log" >&2
        echo "instructions: $1 failed under callgrind" >&2
        exit 1
    }
    echo "$log" | sed -n 's/.*Collected *: *\([0-9]*\).*/\1/p'
}

measured=$(mktemp)
trap 'rm -f "$measured"' EXIT
for operation in $("$program" --list); do
    once=$(collected "$operation" "$count")
    twice=$(collected "$operation" $((2 * count)))
    awk -v name="$operation" -v once="$once" -v twice="$twice" -v count="$count" \
        'BEGIN { printf "%-44s %10.2f\n", name, (twice - once) / count }' >>"$measured"
done

if [ "${1:-}" = --update ]; then
    {
        echo "# Instructions per operation (scripts/instructions.sh --update), $(uname -m), $(rustc --version)"
        grep -v -e "/$peers" "$measured" || true
    } >"$expected"
    cat "$measured"
    exit 0
fi

awk -v tolerance="$tolerance" -v peers="$peers" '
    FNR == NR { if ($1 !~ /^#/) expected[$1] = $2; next }
    $1 ~ peers { printf "%s  (peer)\n", $0; next }
    !($1 in expected) { printf "%s  NEW: run scripts/instructions.sh --update\n", $0; failed = 1; next }
    {
        seen[$1] = 1
        more = 100 * ($2 - expected[$1]) / expected[$1]
        word = more > tolerance ? "MORE" : more < -tolerance ? "fewer: run --update" : "ok"
        printf "%s  expected %10.2f  %+6.2f %%  %s\n", $0, expected[$1], more, word
        if (more > tolerance) failed = 1
    }
    END {
        for (name in expected) if (!(name in seen)) { print name " is expected but not there"; failed = 1 }
        exit failed
    }
' "$expected" "$measured"
