//! The monitor: who is reported, where it was, how often; who is not. One file per concept.
//!
//! There is one monitor in a process, so each test runs in a child. Nobody guesses how long a report
//! takes: what is stuck stays so until it is reported.
#![cfg(feature = "hub")]
#![expect(unsafe_code, reason = "signals, forks, and what children do")]

#[path = "../support/in_child.rs"]
mod in_child;
#[path = "../support/random.rs"]
mod random;

mod quiet;
mod reports;
mod stress;

use greenlet::monitor::{Monitor, Stall};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

const LONG: Duration = Duration::from_secs(60);

/// An emulator takes its time where nobody is stuck.
const LIMIT: Duration = ms(300);

/// Starts a monitor; what it reports.
fn watch(limit: Duration) -> Receiver<Stall> {
    let (said, heard) = channel();
    let monitor = Monitor::new().limit(limit);
    monitor.on_stall(move |stall| drop(said.send(stall.clone()))).start().unwrap();
    heard
}

/// So that somebody wants the hub.
fn somebody_waits() {
    greenlet::spawn_detached(|| greenlet::sleep(LONG));
    greenlet::yield_now();
}

/// Blocks the thread until there is a report.
#[inline(never)]
fn stuck_until_reported(heard: &Receiver<Stall>) -> Stall {
    let stall = heard.recv_timeout(LONG).unwrap();
    std::hint::black_box(stall)
}
