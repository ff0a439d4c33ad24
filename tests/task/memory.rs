//! What costs no allocation once memory is warm.

use super::LONG;
use crate::counting;
use greenlet::{Waitable, spawn, spawn_detached, timeout, wait, yield_now};
use std::time::Duration;

/// How often `f` asks for memory when it is called again.
fn allocations(mut f: impl FnMut()) -> usize {
    (0..3).for_each(|_| f());
    counting::allocations(f)
}

#[test]
fn spawning_and_joining_are_free() {
    assert_eq!(allocations(|| assert_eq!(spawn(|| 7).join().unwrap(), 7)), 0);
    assert_eq!(
        allocations(|| {
            (0..10).for_each(|_| spawn_detached(yield_now));
            yield_now();
            yield_now();
        }),
        0
    );
}

#[test]
fn a_limit_that_does_not_pass_is_free() {
    assert_eq!(allocations(|| timeout(LONG, yield_now).unwrap()), 0);
}

#[test]
fn waiting_for_the_first_of_eight_is_free() {
    let count = || {
        allocations(|| {
            let tasks: [_; 8] =
                std::array::from_fn(|n| spawn(move || (0..n).for_each(|_| yield_now())));
            let things = tasks.each_ref().map(|task| task as &dyn Waitable);
            assert_eq!(wait(&things).timeout(Duration::MAX).first(), Some(0));
            tasks.iter().for_each(|task| task.wait());
        })
    };
    assert_eq!(count(), 0);
}
