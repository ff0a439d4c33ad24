//! Pools: who begins when, results and their order, nested spawns, kills and limits. One file per
//! concept.
//!
//! Each test runs on a thread of its own, with a hub of its own.
#![cfg(feature = "hub")]

#[path = "../support/random.rs"]
mod random;
#[path = "../support/trace.rs"]
mod trace;

mod dag;
mod group;
mod mapping;
mod nested;
mod objects;
mod places;
mod references;
mod stress;
mod threads;

use std::time::Duration;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

const LONG: Duration = Duration::from_secs(60);
