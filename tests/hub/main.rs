//! The hub from outside: spawn, join, sleep, yield, limits, kills, and everything around them that
//! can go wrong. One file per concept.
//!
//! Each test runs on a thread of its own, with a hub of its own. What ends a process, or reads what
//! is written to standard error, happens in a child.
#![cfg(feature = "hub")]
#![expect(unsafe_code, reason = "errno, fork, and what children do")]

#[path = "../../src/driver/filter.rs"]
mod filter;
#[path = "../support/in_child.rs"]
mod in_child;
#[path = "../lifetime/log.rs"]
mod log;
#[path = "../support/open_files.rs"]
mod open_files;
#[path = "../support/random.rs"]
mod random;

mod config;
mod deadlock;
mod destructors;
mod dropped;
mod ends;
mod errno;
mod fairness;
mod fork;
mod fork_waiters;
mod hub_greenlet;
mod interrupts;
mod lazy;
mod looking;
mod rest;
mod sizes;
mod storm;
mod thread_end;
mod tracing;
mod tree;
mod turns;
mod unwinding;

use std::time::Duration;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}
