//! Runs a program in a world of its own, on a thread of its own.

use super::report::{Failure, Report};
use crate::driver::sim::{Faults, WorldSettings};
use crate::greenlet::{RaisedPayload, describe, for_each_alive};
use crate::hub::{Config, ConfigError, hub, make_simulated};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// Runs `program` in the world of `seed`, with the faults of [`Faults::timing`], which a correct program
/// survives. Returns its value and what happened. Blocks this thread meanwhile.
///
/// ```
/// use std::time::Duration;
/// let (sum, report) = greenlet::sim::run(7, || {
///     let tasks = [1, 2, 3].map(|n| greenlet::spawn(move || {
///         greenlet::sleep(Duration::from_secs(n));
///         n
///     }));
///     tasks.into_iter().map(|task| task.join().unwrap()).sum::<u64>()
/// });
/// assert_eq!(sum, 6);
/// assert!(report.virtual_time >= Duration::from_secs(3));
/// ```
///
/// # Panics
/// If the program does, with the same payload, and if the hub broke one of its own rules. The seed is written to
/// standard error.
pub fn run<R: Send>(seed: u64, program: impl FnOnce() -> R + Send) -> (R, Report) {
    Sim::new(seed).faults(Faults::timing()).run(program)
}

/// Options for a simulated world.
///
/// ```
/// use greenlet::sim::{Faults, Sim};
/// let (value, report) = Sim::new(1).faults(Faults::timing().with(Faults::CLOCK)).run(|| 2 + 2);
/// assert_eq!((value, report.operations), (4, 0));
/// ```
#[derive(Debug, Clone)]
#[must_use = "a world is nothing until something runs in it"]
pub struct Sim {
    world: WorldSettings,
    config: Config,
}

impl Sim {
    /// The world of `seed`, without faults.
    pub fn new(seed: u64) -> Sim {
        let world = WorldSettings { seed, faults: Faults::none(), keeps_lines: false };
        Sim { world, config: Config::new() }
    }

    /// What may go wrong.
    pub fn faults(mut self, faults: Faults) -> Sim {
        self.world.faults = faults;
        self
    }

    /// Settings of its hub: stacks, the length of a round. The kind of hub is ignored.
    pub fn config(mut self, config: Config) -> Sim {
        self.config = config;
        self
    }

    /// Keeps a line for everything that happens; see [`Report::lines`].
    pub fn keep_lines(mut self) -> Sim {
        self.world.keeps_lines = true;
        self
    }

    /// Runs a program there; returns its value and what happened. Blocks this thread meanwhile.
    ///
    /// # Panics
    /// As [`run`].
    pub fn run<R: Send>(self, program: impl FnOnce() -> R + Send) -> (R, Report) {
        match self.try_run(program) {
            Ok(done) => done,
            Err(failure) => {
                crate::greenlet::line(format_args!("in a simulated world, {failure}"));
                match failure.payload {
                    Some(payload) => payload.resume(),
                    None => panic!("{failure}"),
                }
            }
        }
    }

    /// As [`run`](Sim::run), but returns an error instead of panicking.
    ///
    /// # Errors
    /// The program panicked, or the hub broke one of its own rules.
    ///
    /// # Panics
    /// If the thread cannot be started, or the settings are refused.
    pub fn try_run<R: Send>(
        self,
        program: impl FnOnce() -> R + Send,
    ) -> Result<(R, Report), Failure> {
        let seed = self.world.seed;
        let inside = move || {
            make_simulated(&self.config, self.world)?;
            let program = || {
                let value = program();
                hub().simulated(|sim| sim.freeze());
                value
            };
            let result = catch_unwind(AssertUnwindSafe(|| crate::greenlet::run(program)));
            let mut greenlets = 0;
            for_each_alive(|_| greenlets += 1);
            greenlets -= 1; // the hub's own
            let account = hub().simulated(|sim| sim.account()).unwrap_or_default();
            Ok((result, Report::of(account, greenlets)))
        };
        let ended = thread::scope(|scope| {
            let builder = thread::Builder::new().name("sim".into());
            let thread = builder.spawn_scoped(scope, inside).expect("a thread for the world");
            thread.join()
        });
        let fail = |message, payload: Option<Box<dyn Any + Send>>, report| Failure {
            seed,
            message,
            payload: payload.map(RaisedPayload::from),
            report,
        };
        let ended = ended.map(|settled: Result<_, ConfigError>| match settled {
            Ok(ended) => ended,
            Err(refused) => panic!("the world's hub: {refused}"),
        });
        match ended {
            Ok((result, (report, violations))) => match (violations.into_iter().next(), result) {
                (Some(rule), result) => Err(fail(rule, result.err(), Some(Box::new(report)))),
                (None, Err(payload)) => Err(fail(
                    describe(&*payload).into_owned(),
                    Some(payload),
                    Some(Box::new(report)),
                )),
                (None, Ok(value)) => Ok((value, report)),
            },
            Err(payload) => Err(fail(describe(&*payload).into_owned(), Some(payload), None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::spawn;

    #[test]
    #[should_panic(expected = "must be")]
    fn settings_that_are_refused_are_a_mistake_of_the_caller() {
        drop(Sim::new(1).config(Config::new().round(0)).try_run(|| ()));
    }

    /// It was woken before the world was judged: the hub took it for one of the parent of a fork, and aborted.
    #[test]
    fn the_root_is_told_of_a_broken_rule_also_where_it_is_ready() {
        let sim = Sim::new(1).config(Config::new().round(1));
        let ended = sim.try_run(|| {
            let _first = spawn(|| ());
            spawn(|| hub().simulated(|sim| sim.violate())).join().unwrap();
        });
        assert_eq!(ended.unwrap_err().message, "a rule was broken");
    }
}
