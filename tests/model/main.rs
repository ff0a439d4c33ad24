//! The differential test of the greenlet tree: the same program in a model, in the crate, and in CPython.

mod blocks;
mod enumerate;
mod interpreter;
mod lifetime;
mod program;
mod python;
mod random;

use interpreter::{Dialect, Ran, interpret};
use program::{Program, text};

/// A number from the environment, or the default.
fn count(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

/// The model's log of a closed program, or why its implementation must not be given it.
fn model(program: &Program, dialect: Dialect) -> Result<String, &'static str> {
    match interpret(program, dialect) {
        Ran::Done(log) => Ok(text(&log)),
        Ran::Unfit(why) => Err(why),
        Ran::Open(_) => unreachable!("only the enumeration leaves blocks open"),
    }
}

#[test]
fn random_programs_do_the_same_in_cpython() {
    let Some(python) = python::interpreter("random programs") else { return };
    let programs = count("GREENLET_PYTHON_PROGRAMS", 10_000);
    let base = count("GREENLET_MODEL_SEED", 1);
    let mut unfit = 0;
    let mut logs = 0;
    for chunk in (0..programs).collect::<Vec<_>>().chunks(1000) {
        let mut batch = Vec::new();
        for i in chunk {
            let program = random::program((base + i) as u64, Dialect::Python);
            match model(&program, Dialect::Python) {
                Ok(log) => batch.push((program, log)),
                Err(_) => unfit += 1,
            }
        }
        let sources: Vec<_> = batch.iter().map(|(program, _)| python::emit(program)).collect();
        for ((program, expected), found) in batch.iter().zip(python::run(&python, &sources)) {
            logs += expected.lines().count();
            if *expected != found {
 let last = &sources[sources.iter().position(|s| *s==python::emit(program)).unwrap()];
 let pos = batch.iter().position(|(p,_)| p==program).unwrap();
 for i in (0..pos).rev() { if python::run(&python, &[sources[i].clone(), last.clone()])[1] != *expected { 
    let prog = random::shrink(batch[i].0.clone(), &|p| python::run(&python, &[python::emit(p), last.clone()])[1] != *expected);
    eprintln!("CULPRIT {i} {pos}\n{prog}{}\n{}", model(&prog, Dialect::Python).unwrap(), python::emit(&prog)); break; } }
 eprintln!("IN BATCH {found}");
                let fails = |program: &Program| {
                    model(program, Dialect::Python)
                        .is_ok_and(|log| log != python::run(&python, &[python::emit(program)])[0])
                };
                let small = random::shrink(program.clone(), &fails);
                panic!(
                    "{small}\nmodel\n{}\ncpython\n{}\n{}",
                    model(&small, Dialect::Python).unwrap(),
                    python::run(&python, &[python::emit(&small)])[0],
                    python::emit(&small)
                );
            }
        }
    }
    eprintln!("{programs} programs, {unfit} unfit, {logs} lines");
}

#[test]
fn stats() {
    let mut map = std::collections::BTreeMap::<String, usize>::new();
    for dialect in [Dialect::Python, Dialect::Rust] {
        for seed in 0..20000 {
            let program = random::program(seed, dialect);
            match interpret(&program, dialect) {
                Ran::Done(log) => {
                    let mut n = log.len();
                    for e in &log {
                        let k = format!("{e:?}");
                        let k = k.split('(').next().unwrap().to_owned();
                        let k = if k == "Got" && format!("{e}").ends_with("exit") {
                            "GotExit".into()
                        } else if k == "Started" && format!("{e}").ends_with("exit") {
                            "StartedExit".into()
                        } else {
                            k
                        };
                        *map.entry(format!("{dialect:?} {k}")).or_default() += 1;
                    }
                    n += 0;
                    let _ = n;
                }
                Ran::Unfit(w) => *map.entry(format!("{dialect:?} unfit {w}")).or_default() += 1,
                _ => {}
            }
        }
    }
    for (k, v) in map {
        println!("{k}: {v}");
    }
    println!("{}", random::program(7, Dialect::Python));
    println!("{}", model(&random::program(7, Dialect::Python), Dialect::Python).unwrap());
}

#[test]
fn enumeration() {
    let steps = count("STEPS", 4);
    for g in 2..=3 {
        for dialect in [Dialect::Python, Dialect::Rust] {
            let now = std::time::Instant::now();
            let n = enumerate::programs(dialect, steps, g, &mut |_, _| {});
            println!("{dialect:?} {g} {steps}: {n} {:?}", now.elapsed());
        }
    }
}
