//! The gevent tutorial, "Spawning Threads": a function, a function again, a lambda.

use greenlet::{TaskBuilder, Waitable, sleep, spawn, wait};
use std::time::Duration;

/// Each thread will be passed the message, and n arguments
/// in its initialization.
fn foo(message: &str, n: u64) {
    sleep(Duration::from_secs(n));
    println!("{message}");
}

fn main() -> Result<(), greenlet::StackError> {
    // Initialize a new Greenlet instance running the named function
    // foo
    let thread1 = TaskBuilder::new().spawn(|| foo("Hello", 1))?;

    // Wrapper for creating and running a new Greenlet from the named
    // function foo, with the passed arguments
    let thread2 = spawn(|| foo("I live!", 2));

    // Lambda expressions
    let x = 2;
    let thread3 = spawn(move || x + 1);

    let threads: [&dyn Waitable; _] = [&thread1, &thread2, &thread3];

    // Block until all threads complete.
    wait(&threads).indices();
    Ok(())
}
