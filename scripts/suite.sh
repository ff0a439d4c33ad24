# How the scripts beside this file run the test suite in another setting. To be sourced:
#
#   without+=(crash)                         # test targets that stay out
#   skip=(overflow million)                  # tests whose name contains one of these stay out
#   run_suite --features valgrind            # `cargo test` for every test target
#   run_suite --test stack -- --nocapture    # or for those that the arguments select
#
#   must_report "Invalid read" valgrind      # a tool that misses a planted bug proves nothing
#
# Doc tests never run here: rustdoc builds and starts them by itself, out of reach of a setting.
# shellcheck shell=bash

host=$(rustc -vV | sed -n 's/^host: //p')
skip=()
# The look at the repository's own files is the same in every setting; examples are programs of their own.
without=(tidy examples)

# The variable by which cargo hands each test executable of this machine to a command.
runner_variable() {
    local triple=${host^^}
    echo "CARGO_TARGET_${triple//-/_}_RUNNER"
}

test_targets() {
    local path name
    for path in tests/*.rs tests/*/main.rs; do
        name=${path#tests/}
        name=${name%/main.rs}
        name=${name%.rs}
        printf '%s\n' "${without[@]}" | grep -qx "$name" || printf '%s\n' --test "$name"
    done
}

run_suite() {
    local for_cargo=() for_tests=() name
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        for_cargo+=("$1")
        shift
    done
    [ $# = 0 ] || shift
    for_tests=("$@")
    for name in "${skip[@]}"; do
        for_tests+=(--skip "$name")
    done
    if ! printf '%s\n' "${for_cargo[@]}" | grep -qE '^--(tests?|lib|bins?|examples?)(=|$)'; then
        [[ " ${for_cargo[*]} " == *" --all-features "* ]] || without+=(sim) # which is a feature
        mapfile -t -O ${#for_cargo[@]} for_cargo < <(echo --lib && test_targets)
    fi
    cargo test --no-fail-fast "${for_cargo[@]}" -- "${for_tests[@]}"
}

# Builds a program that uses memory after it was freed (with the compiler flags in `planted_flags`),
# runs it under the command given, and fails unless that fails and prints the pattern.
planted_flags=()
must_report() {
    local pattern=$1 dir status=0
    shift
    dir=$(mktemp -d)
    rustc "${planted_flags[@]}" -o "$dir/planted" - <<'END'
fn main() {
    let freed = std::hint::black_box(Box::new(7_u8));
    let address: *const u8 = &*freed;
    drop(freed);
    println!("{}", unsafe { address.read_volatile() });
}
END
    "$@" "$dir/planted" >"$dir/report" 2>&1 || status=$?
    if [ $status = 0 ] || ! grep -q "$pattern" "$dir/report"; then
        cat "$dir/report" >&2
        echo "suite: a planted use after free was not reported (status $status)" >&2
        status=bad
    fi
    rm -rf "$dir"
    [ $status != bad ]
}
