//! What came of a run.

use crate::driver::sim::Account;
use crate::greenlet::RaisedPayload;
use std::any::Any;
use std::fmt;
use std::time::Duration;

/// What happened in a simulated world.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// A hash of everything that happened, and when, until the program returned: equal for equal runs.
    pub hash: u64,
    /// How many events there were.
    pub events: u64,
    /// How long the run took by the world's clock.
    pub virtual_time: Duration,
    /// Operations (a read, an accept) that were begun.
    pub operations: u64,
    /// Answers that came back, including those to cancellations.
    pub completions: u64,
    /// Operations that were cancelled.
    pub cancels: u64,
    /// How often the hub waited, or looked at the world.
    pub enters: u64,
    /// How many faults happened.
    pub faults: u64,
    /// Descriptors that were open at the end, after every greenlet had ended.
    pub open_descriptors: usize,
    /// Operations that were not over at the end.
    pub in_flight: usize,
    /// Greenlets that did not end.
    pub greenlets: usize,
    /// If [`Sim::keep_lines`](super::Sim::keep_lines) was called, a line for each event: microseconds since
    /// the beginning, and what happened.
    pub lines: Vec<String>,
}

impl Report {
    pub(super) fn of(account: Account, greenlets: usize) -> (Report, Vec<String>) {
        let counters = account.counters;
        let report = Report {
            hash: account.hash,
            events: account.events,
            virtual_time: Duration::from_nanos(account.virtual_ns),
            operations: counters.pushed,
            completions: counters.completions,
            cancels: counters.cancels,
            enters: counters.enters,
            faults: account.faults,
            open_descriptors: account.open_descriptors,
            in_flight: account.in_flight,
            greenlets,
            lines: account.lines,
        };
        (report, account.violations)
    }
}

/// The program panicked in a simulated world, or the hub broke one of its own rules there.
pub struct Failure {
    pub(super) seed: u64,
    pub(super) message: String,
    pub(super) payload: Option<RaisedPayload>,
    pub(super) report: Option<Box<Report>>,
}

impl Failure {
    /// The seed: running it again fails again.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What was wrong, in words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What happened until then, if that could be found out.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_deref()
    }

    /// The payload of the program's panic, if it panicked.
    pub fn into_payload(self) -> Option<Box<dyn Any + Send>> {
        self.payload.map(RaisedPayload::into_inner)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}", self.seed, self.message)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { seed, message, report, .. } = self;
        f.debug_struct("Failure")
            .field("seed", seed)
            .field("message", message)
            .field("report", report)
            .finish()
    }
}

impl std::error::Error for Failure {}

const _: () = {
    const fn goes_anywhere<T: Send + Sync + 'static>() {}
    goes_anywhere::<Failure>();
};
