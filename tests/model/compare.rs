//! Runs a program twice and fails with the smallest program that tells the two apart.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::interpreter::{Dialect, Ran, interpret};
use crate::program::{Event, Program, text};
use crate::{python, random, walker};

/// Programs that wait for CPython before they are run together.
const BATCH: usize = 4 * python::BATCH;

/// A number from the environment, or the default.
pub(crate) fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| match text.parse() {
        Ok(number) => number,
        Err(error) => panic!("{name}={text}: {error}"),
    })
}

/// The model's log of a closed program, or why the dialect's implementation must not be given it.
pub(crate) fn model(program: &Program, dialect: Dialect) -> Result<String, &'static str> {
    match interpret(program, dialect) {
        Ran::Done(log) => Ok(comparable(log)),
        Ran::Unfit(why) => Err(why),
        Ran::Open(_) => unreachable!("only growing programs have open blocks"),
    }
}

/// The log as text. What is unwound after the end comes in no particular order, so that part is sorted.
fn comparable(mut log: Vec<Event>) -> String {
    let end = log.iter().position(|event| *event == Event::End).unwrap_or(log.len());
    log[end..].sort_by_key(|event| (*event != Event::End, event.to_string()));
    text(&log)
}

/// The crate's log, or the panic that ended it.
pub(crate) fn crate_log(program: &Program) -> String {
    if setting("GREENLET_MODEL_TRACE", 0) > 0 {
        eprintln!("{program}");
    }
    match catch_unwind(AssertUnwindSafe(|| walker::walk(program))) {
        Ok(log) => comparable(log),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            format!("the run panicked: {}\n", text.unwrap_or("no text"))
        }
    }
}

/// Compares the crate with the model's `expected` log of this program.
///
/// # Panics
///
/// When they differ.
#[track_caller]
pub(crate) fn with_crate(name: &dyn std::fmt::Display, program: &Program, expected: &str) {
    let found = crate_log(program);
    if found == expected {
        return;
    }
    eprintln!("program {name} differs:\n{program}");
    let differs = |program: &Program| {
        model(program, Dialect::Rust)
            .is_ok_and(|expected| crate_log_of_new_thread(program) != expected)
    };
    if !differs(program) {
        // It differs only behind the programs that ran before it on the same thread.
        fail(name, program, "the crate, after other programs,", expected, &found);
    }
    let small = random::shrink(program.clone(), &differs);
    let expected = model(&small, Dialect::Rust).expect("it was run");
    fail(name, &small, "the crate", &expected, &crate_log_of_new_thread(&small));
}

/// On a thread of its own, because a failure may have left anything behind.
fn crate_log_of_new_thread(program: &Program) -> String {
    let program = program.clone();
    let thread = std::thread::spawn(move || crate_log(&program));
    thread.join().expect("panics are part of the log")
}

/// Collects programs and compares CPython with the model, many at a time.
pub(crate) struct WithPython {
    python: String,
    waiting: Vec<(u64, Program, String)>,
    pub(crate) compared: usize,
}

impl WithPython {
    pub(crate) fn new(python: String) -> WithPython {
        WithPython { python, waiting: Vec::new(), compared: 0 }
    }

    /// Compares this program now or later; `expected` is the model's log of it.
    pub(crate) fn add(&mut self, number: u64, program: &Program, expected: String) {
        self.waiting.push((number, program.clone(), expected));
        if self.waiting.len() == BATCH {
            self.finish();
        }
    }

    /// Compares what was added since the last time.
    ///
    /// # Panics
    ///
    /// When a log differs.
    pub(crate) fn finish(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let sources: Vec<String> =
            waiting.iter().map(|(_, program, _)| python::emit(program)).collect();
        let found = python::run(&self.python, &sources);
        for ((number, program, expected), found) in waiting.into_iter().zip(found) {
            if expected != found {
                self.fail(number, program, &expected, &found);
            }
            self.compared += 1;
        }
    }

    fn log_of(&self, program: &Program) -> String {
        python::run(&self.python, &[python::emit(program)]).remove(0)
    }

    fn fail(&self, number: u64, program: Program, expected: &str, found: &str) -> ! {
        let differs = |program: &Program| {
            model(program, Dialect::Python).is_ok_and(|expected| self.log_of(program) != expected)
        };
        if !differs(&program) {
            // It differs only behind the programs that ran before it in the same process.
            fail(&number, &program, "CPython, after other programs,", expected, found);
        }
        let small = random::shrink(program, &differs);
        eprintln!("{}", python::emit(&small));
        let expected = model(&small, Dialect::Python).expect("it was run");
        fail(&number, &small, "CPython", &expected, &self.log_of(&small));
    }
}

#[track_caller]
fn fail(
    name: &dyn std::fmt::Display,
    program: &Program,
    who: &str,
    expected: &str,
    found: &str,
) -> ! {
    let same = expected.lines().zip(found.lines()).take_while(|(a, b)| a == b).count();
    panic!(
        "program {name}, as small as it gets:\n{program}\nthe model's log:\n{expected}\n{who} logged:\n\
         {found}\nthey part after {same} lines"
    );
}
