//! What can only block, on threads that may: results, panics, limits, kills, queues, forks. One file per
//! concept.
//!
//! Each test runs on a thread of its own, with a hub of its own; the offload threads are shared, so
//! tests that count them run in a child.
#![cfg(feature = "hub")]
#![expect(unsafe_code, reason = "fork, signal masks, and what children do")]

#[path = "../support/in_child.rs"]
mod in_child;
#[path = "../support/random.rs"]
mod random;

mod calling;
mod leaving;
mod process;
mod queue;
mod stress;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Says where it is dropped.
struct Dropped(Sender<Option<String>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(std::thread::current().name().map(str::to_owned));
    }
}

fn dropped() -> (Dropped, Receiver<Option<String>>) {
    let (said, heard) = channel();
    (Dropped(said), heard)
}
