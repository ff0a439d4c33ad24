//! The gevent tutorial, "Synchronous & Asynchronous Execution": one after the other, and all at once.
//! Also the second program of the notes on monkey patching.

use greenlet::{join_all, sleep, spawn};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Some non-deterministic task
fn task(pid: u32) {
    sleep(Duration::from_millis(randint(0, 2)));
    println!("Task {pid} done");
}

fn synchronous() {
    for i in 1..10 {
        task(i);
    }
}

fn asynchronous() {
    let threads: Vec<_> = (0..10).map(|i| spawn(move || task(i))).collect();
    join_all(threads).join();
}

fn main() {
    println!("Synchronous:");
    synchronous();

    println!("Asynchronous:");
    asynchronous();
}

/// `random.randint`: both ends are among the results.
fn randint(low: u64, high: u64) -> u64 {
    low + RandomState::new().hash_one(()) % (high - low + 1)
}
