//! What crosses threads: channels, events, tasks for another thread's hub. Nothing here sleeps to wait for
//! something; whoever must be met is met at a channel of the standard library.
#![cfg(feature = "hub")]
#![allow(unsafe_code, reason = "asks the kernel")]

#[path = "../support/counting.rs"]
mod counting;
#[path = "../support/in_child.rs"]
mod in_child;
#[path = "../support/open_files.rs"]
mod open_files;
#[path = "../support/random.rs"]
mod random;

mod allocations;
mod channel;
mod event;
mod fork;
mod killing;
mod server;
mod spawning;
mod storm;
mod workers;

use std::thread::JoinHandle;
use std::time::Duration;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A thread with a hub of its own.
fn hub_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    std::thread::spawn(|| greenlet::run(|| greenlet::spawn(f).join().unwrap()))
}
