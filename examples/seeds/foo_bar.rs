//! The gevent tutorial, "Synchronous & Asynchronous Execution": two that give way to each other.
//! Also the first program of the notes on monkey patching.

use greenlet::{join_all, sleep, spawn};
use std::time::Duration;

fn foo() {
    println!("Running in foo");
    sleep(Duration::ZERO);
    println!("Explicit context switch to foo again");
}

fn bar() {
    println!("Explicit context to bar");
    sleep(Duration::ZERO);
    println!("Implicit context switch back to bar");
}

fn main() {
    join_all([spawn(foo), spawn(bar)]).join();
}
