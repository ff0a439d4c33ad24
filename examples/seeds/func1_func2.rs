//! Coroutines and gevent in detail: two that sleep at the same time.

use greenlet::{join_all, sleep, spawn};
use std::time::Duration;

fn func1() {
    println!("start func1");
    sleep(Duration::from_secs(1));
    println!("end func1");
}

fn func2() {
    println!("start func2");
    sleep(Duration::from_secs(1));
    println!("end func2");
}

fn main() {
    join_all([spawn(func1), spawn(func2)]).join();
}
