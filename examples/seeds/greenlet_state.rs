//! The gevent tutorial, "Greenlet State": what a handle tells of its task, before and after the end.

use greenlet::{join_all, spawn};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn win() -> &'static str {
    "You win!"
}

fn fail() -> &'static str {
    panic!("You fail at failing.")
}

fn main() {
    let winner = spawn(win);
    let loser = spawn(fail);

    // gevent's `started`: spawned, and not at its end
    println!("{}", !winner.is_finished()); // true
    println!("{}", !loser.is_finished()); // true

    // Exceptions raised in the Greenlet, stay inside the Greenlet.
    let joined = catch_unwind(AssertUnwindSafe(|| join_all([&winner, &loser]).wait()));
    if joined.is_err() {
        println!("This will never be reached");
    }

    println!("{}", winner.value().unwrap()); // "You win!"
    println!("{:?}", loser.value()); // None

    println!("{}", winner.is_finished()); // true
    println!("{}", loser.is_finished()); // true

    println!("{}", winner.is_success()); // true
    println!("{}", loser.is_success()); // false

    // The panic raised in fail, will not propagate outside the
    // greenlet. A message will be printed to stderr but it
    // will not unwind the stack of the parent.

    println!("{}", loser.payload_as_str().unwrap());

    // It is possible though to raise the panic again outside
    // loser.join().unwrap_or_else(|error| error.resume())
    // or with
    // loser.join().unwrap()
}
