//! Pools: who begins when, results and their order, nested spawns, kills and limits. One file per
//! concept.
//!
//! Each test runs on a thread of its own, with a hub of its own.
#![cfg(feature = "hub")]

mod dag;
mod group;
mod mapping;
mod nested;
mod objects;
mod places;
mod references;
mod stress;

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

/// What happened, a line each.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    fn note(&self, line: impl Display) {
        self.0.borrow_mut().push(line.to_string());
    }

    /// Takes what was noted, as one line.
    fn take(&self) -> String {
        self.0.take().join(", ")
    }
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

const LONG: Duration = Duration::from_secs(60);
