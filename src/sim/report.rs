//! What came of a run.

use crate::driver::sim::Account;
use crate::hub::Deadlock;
use std::any::Any;
use std::fmt;
use std::time::Duration;

/// What has happened in a simulated world.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// A number that is the same for the same run: made of everything that has happened and when, until
    /// the program returned.
    pub hash: u64,
    /// How many things have happened.
    pub events: u64,
    /// How long it took by the world's clock.
    pub virtual_time: Duration,
    /// Operations that were handed over.
    pub operations: u64,
    /// Answers that came back, those to cancellations among them.
    pub completions: u64,
    /// Operations that were told to end early.
    pub cancels: u64,
    /// How often the hub waited, or looked at the world.
    pub enters: u64,
    /// How many faults have struck.
    pub faults: u64,
    /// Descriptors that were open at the end, after every greenlet had ended.
    pub open_descriptors: usize,
    /// Operations that were not over then.
    pub in_flight: usize,
    /// Greenlets that did not end.
    pub greenlets: usize,
    /// What has happened, where [`Sim::keep_lines`](super::Sim::keep_lines) asked for it: microseconds since
    /// the clock's zero, and what.
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

/// A program that has panicked in a simulated world, or a rule that was broken there.
pub struct Failure {
    pub(super) seed: u64,
    pub(super) message: String,
    pub(super) payload: Option<Box<dyn Any + Send>>,
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

    /// What has happened until then, if the world could be asked.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_deref()
    }

    /// What the program panicked with, if it did.
    pub fn into_payload(self) -> Option<Box<dyn Any + Send>> {
        self.payload
    }
}

/// The text of a panic, if it has one.
pub(super) fn text_of(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    if let Some(text) = payload.downcast_ref::<String>() {
        return text.clone();
    }
    match payload.downcast_ref::<Deadlock>() {
        Some(deadlock) => deadlock.to_string(),
        None => "a panic without a text".to_owned(),
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
