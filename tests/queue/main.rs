//! Queues: order, room, closing, kills and limits while waiting. One file per concept.
//!
//! Each test runs on a thread of its own, with a hub of its own.
#![cfg(feature = "hub")]

#[path = "../support/counting.rs"]
mod counting;
#[path = "../support/random.rs"]
mod random;
#[path = "../support/trace.rs"]
mod trace;

mod broadcast;
mod closing;
mod kinds;
mod limits;
mod memory;
mod order;
mod rendezvous;
mod several;
mod stress;
mod unwinding;

use std::time::Duration;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

const LONG: Duration = Duration::from_secs(60);
