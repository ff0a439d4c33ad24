//! Tasks: spawning, joining, killing, links, waiting for several, scopes. One file per concept.
//!
//! The hub is the best that works here; `GREENLET_HUB=epoll cargo test --test task` takes the other.
#![cfg(feature = "hub")]
#![expect(unsafe_code, reason = "limits of child processes")]

#[path = "../support/counting.rs"]
mod counting;
#[path = "../support/in_child.rs"]
mod in_child;
#[path = "../support/random.rs"]
mod random;
#[path = "../support/trace.rs"]
mod trace;

mod builder;
mod inherited;
mod joining;
mod killing;
mod left;
mod links;
mod memory;
mod places;
mod report;
mod scope;
mod scope_end;
mod several;
mod storm;

use std::time::Duration;

/// Longer than any test: a sleep of this is ended by something else.
const LONG: Duration = Duration::from_secs(600);
/// A moment that passes.
const SHORT: Duration = Duration::from_millis(2);

/// Lets the others run until this holds.
fn until(done: impl Fn() -> bool) {
    while !done() {
        greenlet::sleep(SHORT);
    }
}
