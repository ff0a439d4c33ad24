//! The differential test of the tree: the same programs in a model, in the crate, and in CPython's `greenlet`.
//!
//! | run | how |
//! |---|---|
//! | model | `interpreter.rs`, a plain heap interpreter without real stacks, which knows both dialects |
//! | crate | `walker.rs`, the script walked inside real greenlets |
//! | CPython | `python.rs`, the script emitted as Python; skipped when `GREENLET_PYTHON` is not set |
//!
//! Programs come from seeds (`random.rs`), from an enumeration of all short ones (`enumerate.rs`), and by hand
//! (`facts.rs`, `differences.rs`). The logs must be equal, line by line. Settings, all from the environment:
//!
//! | name | default | |
//! |---|---|---|
//! | `GREENLET_PYTHON` | none | an interpreter with `greenlet`: `$(scripts/python-greenlet.sh)` |
//! | `GREENLET_MODEL_PROGRAMS` | 2,000 | random programs for the crate |
//! | `GREENLET_PYTHON_PROGRAMS` | 10,000 | random programs for CPython |
//! | `GREENLET_MODEL_SEED` | 1 | the seed of the first random program; the next one has the next number |
//! | `GREENLET_MODEL_STEPS` | 4, in release 5 | length of the enumerated programs for the crate |
//! | `GREENLET_PYTHON_STEPS` | 3, in release 4 | length of the enumerated programs for CPython |
//! | `GREENLET_MODEL_TRACE` | 0 | 1: print each program before the crate runs it (to find one that aborts) |
#![cfg(panic = "unwind")]

mod beyond;
mod blocks;
mod child;
mod compare;
mod differences;
mod enumerate;
mod facts;
mod found;
mod interpreter;
mod lifetime;
mod program;
mod python;
mod random;
#[path = "../support/random.rs"]
mod seeded;
mod text;
mod walker;

use compare::{WithPython, crate_log, model, setting, with_crate};
use interpreter::Dialect;
use program::{Event, Program, Waits};

/// Greenlets of the enumerated programs, besides the root.
const ENUMERATED_GREENLETS: usize = 2;

fn release_or_debug(release: usize, debug: usize) -> usize {
    if cfg!(debug_assertions) { debug } else { release }
}

#[test]
fn random_programs_do_the_same_in_the_crate() {
    child::run("random_programs_do_the_same_in_the_crate", || {
        let programs = setting("GREENLET_MODEL_PROGRAMS", 2_000) as u64;
        let first = setting("GREENLET_MODEL_SEED", 1) as u64;
        let mut unfit = 0;
        for seed in first..first + programs {
            let program = random::program(seed, Dialect::Rust);
            child::about_to_run(&format_args!("of seed {seed}"));
            match model(&program, Dialect::Rust) {
                Ok(expected) => with_crate(&format_args!("of seed {seed}"), &program, &expected),
                Err(_) => unfit += 1,
            }
        }
        println!("crate: {programs} random programs from seed {first}, {unfit} of them not run");
    });
}

#[test]
fn random_programs_do_the_same_in_cpython() {
    let Some(python) = python::interpreter("random programs") else { return };
    let programs = setting("GREENLET_PYTHON_PROGRAMS", 10_000) as u64;
    let first = setting("GREENLET_MODEL_SEED", 1) as u64;
    let mut cpython = WithPython::new(python);
    let mut unfit = 0;
    for seed in first..first + programs {
        let program = random::program(seed, Dialect::Python);
        match model(&program, Dialect::Python) {
            Ok(expected) => cpython.add(seed, &program, expected),
            Err(_) => unfit += 1,
        }
    }
    cpython.finish();
    println!("CPython: {} random programs from seed {first}, {unfit} not run", cpython.compared);
}

#[test]
fn all_short_programs_do_the_same_in_the_crate() {
    child::run("all_short_programs_do_the_same_in_the_crate", || {
        let steps = setting("GREENLET_MODEL_STEPS", release_or_debug(5, 4));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        // Each thread enumerates everything, which is cheap, and runs its share.
        let share = |thread| {
            let mut number = 0;
            enumerate::programs(Dialect::Rust, steps, ENUMERATED_GREENLETS, &mut |program| {
                number += 1;
                if number % 1000 == 0 {
                    child::about_to_run(&format_args!("{number} or up to a thousand later"));
                }
                if number % threads == thread {
                    run_as_enumerated_and_typed(program, number);
                }
            })
        };
        let count = std::thread::scope(|scope| {
            let running: Vec<_> =
                (0..threads).map(|thread| scope.spawn(move || share(thread))).collect();
            running.into_iter().map(|thread| thread.join().expect("equal logs")).max()
        });
        println!("crate: all {} programs of at most {steps} steps", count.unwrap_or(0));
    });
}

/// Once waiting for any type everywhere, once with other waits in some of the greenlets, by turns.
fn run_as_enumerated_and_typed(program: &Program, number: usize) {
    let mut typed = program.clone();
    let mut turn = number;
    for script in &mut typed.scripts {
        script.waits = [Waits::Any, Waits::Exact, Waits::Raising][turn % 3];
        turn /= 3;
    }
    for program in [program, &typed] {
        let expected = model(program, Dialect::Rust).expect("the enumeration ran it");
        with_crate(&number, program, &expected);
    }
}

#[test]
fn all_short_programs_do_the_same_in_cpython() {
    let Some(python) = python::interpreter("all short programs") else { return };
    let steps = setting("GREENLET_PYTHON_STEPS", release_or_debug(4, 3));
    let mut cpython = WithPython::new(python);
    let mut number = 0;
    let count = enumerate::programs(Dialect::Python, steps, ENUMERATED_GREENLETS, &mut |program| {
        let expected = model(program, Dialect::Python).expect("the enumeration ran it");
        number += 1;
        cpython.add(number, program, expected);
    });
    cpython.finish();
    println!("CPython: all {count} programs of at most {steps} steps");
}

/// Up to where the root's script ends, unless `wanted` goes on.
fn beginning(log: &str, wanted: &str) -> String {
    let lines = wanted.lines().filter(|line| !line.trim().is_empty()).count();
    log.lines().take(lines).map(|line| format!("{line}\n")).collect()
}

fn trimmed(wanted: &str) -> String {
    let lines = wanted.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn facts_hold_in_all_runs() {
    let python = python::interpreter("facts");
    for fact in facts::FACTS {
        let program = text::parse(fact.program);
        let wanted = trimmed(fact.log);
        for dialect in [Dialect::Rust, Dialect::Python] {
            let log = model(&program, dialect).expect("fit for all");
            assert_eq!(beginning(&log, &wanted), wanted, "{} in the {dialect:?} model", fact.fact);
        }
        let log = crate_log(&program);
        assert_eq!(beginning(&log, &wanted), wanted, "{} in the crate", fact.fact);
        if let Some(python) = &python {
            let log = python::run(python, &[python::emit(&program)]).remove(0);
            assert_eq!(beginning(&log, &wanted), wanted, "{} in CPython", fact.fact);
        }
    }
    for (fact, source, wanted) in facts::PYTHON_FACTS {
        if let Some(python) = &python {
            assert_eq!(
                python::run(python, &[(*source).to_owned()])[0].trim_end(),
                *wanted,
                "{fact}"
            );
        }
    }
}

#[test]
fn chosen_differences_are_as_listed() {
    let python = python::interpreter("differences");
    for difference in differences::DIFFERENCES {
        let program = text::parse(difference.program);
        let (rust, wanted) = (trimmed(difference.rust), trimmed(difference.python));
        let name = difference.name;
        assert_ne!(rust, wanted, "{name}: {}", difference.reason);
        let log = model(&program, Dialect::Rust).expect("fit");
        assert_eq!(beginning(&log, &rust), rust, "{name} in the Rust model");
        assert_eq!(beginning(&crate_log(&program), &rust), rust, "{name} in the crate");
        let log = model(&program, Dialect::Python).expect("fit");
        assert_eq!(beginning(&log, &wanted), wanted, "{name} in the Python model");
        if let Some(python) = &python {
            let log = python::run(python, &[python::emit(&program)]).remove(0);
            assert_eq!(beginning(&log, &wanted), wanted, "{name} in CPython");
        }
    }
}

#[test]
fn programs_that_once_differed_do_the_same_in_the_crate() {
    for (what, program) in found::FOUND {
        let program = text::parse(program);
        let expected = model(&program, Dialect::Rust).expect("fit");
        with_crate(what, &program, &expected);
    }
}

/// The canary: with the other dialect's rules the model must be found wrong soon, in both comparisons.
#[test]
fn the_comparison_notices_wrong_rules() {
    let wrong = |dialect, log: &dyn Fn(&Program) -> String| {
        (1..1000).find(|&seed| {
            let program = random::program(seed, dialect);
            model(&program, dialect).is_ok_and(|expected| log(&program) != expected)
        })
    };
    let in_crate = wrong(Dialect::Python, &|program| match model(program, Dialect::Rust) {
        Ok(_) => crate_log(program),
        Err(_) => model(program, Dialect::Python).expect("asked before"),
    });
    assert!(in_crate.is_some());
    let Some(python) = python::interpreter("the canary") else { return };
    let in_cpython = wrong(Dialect::Rust, &|program| match model(program, Dialect::Python) {
        Ok(_) => python::run(&python, &[python::emit(program)]).remove(0),
        Err(_) => model(program, Dialect::Rust).expect("asked before"),
    });
    assert!(in_cpython.is_some());
}

#[test]
fn programs_survive_being_written_and_read() {
    for seed in 1..200 {
        let program = random::program(seed, Dialect::Rust);
        assert_eq!(text::parse(&program.to_string()), program);
    }
}

#[test]
fn random_programs_are_within_bounds_and_leave_no_kind_of_event_out() {
    let mut seen = std::collections::HashSet::new();
    for seed in 1..2000 {
        for dialect in [Dialect::Rust, Dialect::Python] {
            let program = random::program(seed, dialect);
            assert!(program.scripts.len() <= 8 && program.steps() <= 64);
            if let interpreter::Ran::Done(log) = interpreter::interpret(&program, dialect) {
                seen.extend(log.iter().map(std::mem::discriminant::<Event>));
            }
        }
    }
    assert_eq!(seen.len(), program::EVENTS);
}
