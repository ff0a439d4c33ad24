//! The gevent tutorial, "Timeouts": three ways to limit a wait for one that takes longer.

use greenlet::{Timeout, sleep, spawn, timeout};
use std::time::Duration;

fn wait() {
    sleep(Duration::from_secs(2));
}

fn main() {
    let timer = Timeout::start(Duration::from_secs(1));
    let thread1 = spawn(wait);

    if timer.catch(|| thread1.wait()).is_err() {
        println!("Thread 1 timed out");
    }

    // --

    let timer = Timeout::start(Duration::from_secs(1));
    let thread2 = spawn(wait);

    if timer.catch(|| thread2.join()).is_err() {
        println!("Thread 2 timed out");
    }

    // --

    if timeout(Duration::from_secs(1), wait).is_err() {
        println!("Thread 3 timed out");
    }
}
