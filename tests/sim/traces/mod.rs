//! Each primitive against a plain model: random programs of a few greenlets, whose whole trace (who did
//! what, in which order, and how it ended) must be one that the model and a first-come-first-served
//! scheduler allow.
//!
//! Greenlets use the primitive, with limits of its own and limits around it, yield, sleep, kill one another
//! and throw at one another; whoever waits for ever is killed in the end. `program` makes such a program
//! out of a seed, `play` runs it in a simulated world, `referee` follows the trace. Covered are, in `permits`:
//! semaphores (plain, bounded, capped); `locks`: mutex, reentrant mutex, read-write lock, condition;
//! `signals`: event, one-shot event, async result, wait group, barrier; `once`: once cell, locals; `queues`:
//! queues (oldest, newest, lowest first; without end, bounded, resized, closed), channel, joinable queue;
//! `broadcasts`: broadcast, the first of several; `arrivals`: several, one after the other; `pools`: pool,
//! object pool; `lenders`: green pool, whose members spawn as well; `piles`: piles in one green pool; `dags`:
//! DAG pool; `inherited`: inherited values.
//!
//! Not covered: what other threads share (`sync::thread`, `ThreadPool`: real time), members of a `Pool`
//! that spawn; their order is asserted in `tests/threads` and `tests/pool`.
//!
//! `GREENLET_TRACES` says how many seeds, `GREENLET_TRACE` which one alone.

mod arrivals;
mod broadcasts;
mod dags;
mod inherited;
mod lenders;
mod locks;
mod once;
mod permits;
mod piles;
mod play;
mod pools;
mod program;
mod queues;
mod referee;
mod signals;

use crate::seeds::number;
use greenlet::sim::{Faults, Sim};
use greenlet::sync::queue::{Counted, Fifo, Handover, Lifo, Lowest, QueueOf};
use greenlet::sync::{
    AsyncResult, Barrier, BoundedSemaphore, CappedSemaphore, Event, Mutex, OnceCell, OneShotEvent,
    ReentrantMutex, RwLock, Semaphore, WaitGroup,
};
use greenlet::{Config, pool};
use play::{Failure, Line, Subject};
use program::Program;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicU64, Ordering};

type Checks = &'static [(&'static str, fn(u64) -> Result<(), String>, fn(u64, Faults) -> String)];

macro_rules! subjects {
    ($($subject:ty),* $(,)?) => {
        &[$((<$subject as Subject>::NAME, run::<$subject>, explain::<$subject>)),*]
    };
}

const ALL: Checks = subjects![
    Semaphore,
    BoundedSemaphore,
    CappedSemaphore,
    Mutex<()>,
    ReentrantMutex<()>,
    RwLock<()>,
    locks::Guarded,
    Event,
    OneShotEvent<u64, ()>,
    AsyncResult<u64>,
    WaitGroup,
    Barrier,
    OnceCell<u64>,
    once::Locals,
    QueueOf<Fifo<u64>>,
    QueueOf<Lifo<u64>>,
    QueueOf<Lowest<u64>>,
    QueueOf<Handover<u64>>,
    QueueOf<Counted<Fifo<u64>>>,
    broadcasts::Radio,
    [Event; 3],
    pool::Pool,
    pool::GreenPool,
    piles::Piles,
    dags::Dag,
    arrivals::Several,
    inherited::Inherited,
    pool::ObjectPool<u64>,
];

fn world(seed: u64, faults: Faults) -> Sim {
    Sim::new(seed).faults(faults).config(Config::new().round(1 << (seed % 7)))
}

fn faults(seed: u64) -> Faults {
    match seed % 4 {
        0 | 1 => Faults::none(),
        2 => Faults::timing(),
        _ => Faults::timing().with(Faults::CLOCK), // many limits pass at once
    }
}

/// Runs the program of that seed in this world, and judges it.
fn run<S: Subject>(seed: u64) -> Result<(), String> {
    let judgement = judged::<S>(&Program::new(seed, S::VERBS, S::OWN_LIMITS));
    judgement.map_err(|(lines, what)| what + "\n" + &texts(&lines))
}

fn judged<S: Subject>(program: &Program) -> Result<(), Failure> {
    let (lines, model) = play::play::<S>(program)?;
    let judgement = referee::judge(&lines, program.scripts.len(), model);
    judgement.map_err(|(at, what)| {
        let line = lines.get(at).map_or("the end".to_owned(), text);
        (lines, format!("line {at}, {line}: {what}"))
    })
}

fn text(line: &Line) -> String {
    format!("{:>10} us  {}: {:?}", line.at_ns / 1000, line.who as isize, line.event)
}

fn texts(lines: &[Line]) -> String {
    let numbered = lines.iter().enumerate();
    numbered.map(|(at, line)| format!("{at:>4} {}\n", text(line))).collect()
}

/// The smallest program that fails, and its trace.
fn explain<S: Subject>(seed: u64, faults: Faults) -> String {
    let fails = |program: &Program| {
        let played = world(seed, faults).try_run(|| match judged::<S>(program) {
            Ok(()) => None,
            Err((lines, what)) => Some(format!("{what}\n{}", texts(&lines))),
        });
        played.map_or_else(|failure| Some(failure.to_string()), |(found, _)| found)
    };
    let mut program = Program::new(seed, S::VERBS, S::OWN_LIMITS);
    let Some(mut found) = fails(&program) else { return "not by itself".to_owned() };
    loop {
        let smaller = program.smaller().into_iter();
        match smaller.map(|less| (fails(&less), less)).find(|(found, _)| found.is_some()) {
            Some((Some(how), less)) => (program, found) = (less, how),
            _ => break,
        }
    }
    format!("smallest: {found}")
}

/// All primitives with one seed, in one world.
pub(crate) fn check(seed: u64) -> Result<(), String> {
    let failed = StdMutex::new("");
    let played = world(seed, faults(seed)).try_run(|| {
        ALL.iter().try_for_each(|(name, run, _)| {
            *failed.lock().unwrap() = name;
            run(seed)
        })
    });
    let what = match played {
        Ok((Ok(()), report)) if report.greenlets == 0 => return Ok(()),
        Ok((Ok(()), report)) => format!("{} greenlets are left", report.greenlets),
        Ok((Err(what), _)) => what,
        Err(failure) => failure.to_string(),
    };
    Err(format!("{}: {what}", failed.into_inner().unwrap()))
}

/// Which primitives fail, and with which seed first.
#[cfg(planted)]
pub(crate) fn first_failures(seeds: u64) -> Vec<String> {
    let fails = |run: fn(u64) -> Result<(), String>, seed| {
        let played = world(seed, faults(seed)).try_run(|| run(seed));
        !matches!(played, Ok((Ok(()), _)))
    };
    let first = |(name, run, _): &(_, _, _)| {
        (0..seeds).find(|seed| fails(*run, *seed)).map(|seed| format!("{name} {seed}"))
    };
    ALL.iter().filter_map(first).collect()
}

#[test]
fn every_trace_is_one_that_the_model_allows() {
    let one = number("GREENLET_TRACE", u64::MAX);
    let seeds = match one {
        u64::MAX => 0..number("GREENLET_TRACES", 150),
        one => one..one + 1,
    };
    let next = AtomicU64::new(seeds.start);
    let failed = StdMutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while failed.lock().unwrap().is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    if let Err(what) = check(seed) {
                        failed.lock().unwrap().get_or_insert((seed, what));
                    }
                }
            });
        }
    });
    if let Some((seed, what)) = failed.into_inner().unwrap() {
        let subject = ALL.iter().find(|(name, ..)| what.starts_with(&format!("{name}: ")));
        let why = subject.map(|(_, _, explain)| explain(seed, faults(seed))).unwrap_or_default();
        panic!("GREENLET_TRACE={seed}: {what}\n{why}");
    }
}
