//! How often the hub asks for memory once it is warm: never, for what happens all the time.
//!
//! Each test counts on its own thread, so that others do not disturb it.
#![cfg(feature = "hub")]

#[path = "support/counting.rs"]
mod counting;

use greenlet::{Timeout, shield, sleep, spawn, spawn_detached, timeout, yield_now};
use std::cell::Cell;
use std::panic::catch_unwind;
use std::time::Duration;

/// How often 1000 repetitions of `act` allocate, after as many to warm up.
fn allocations(act: impl Fn()) -> usize {
    (0..1000).for_each(|_| act());
    counting::allocations(|| (0..1000).for_each(|_| act()))
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1_u8)))), 1000);
}

#[test]
fn spawn_and_join() {
    assert_eq!(allocations(|| assert_eq!(spawn(|| 5).join().unwrap(), 5)), 0);
    assert_eq!(allocations(|| assert_eq!(spawn(|| [7_u8; 300]).join().unwrap()[9], 7)), 0);
    let large = [1_u8; 900];
    assert_eq!(allocations(|| assert_eq!(spawn(move || large[3]).join().unwrap(), 1)), 0);
}

#[test]
fn many_tasks_at_once() {
    let batch = || {
        let tasks: [_; 100] = std::array::from_fn(|n| spawn(move || n));
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.join().unwrap(), n);
        }
    };
    assert_eq!(allocations(batch), 0);
}

#[test]
fn detached_tasks() {
    let batch = || {
        (0..10).for_each(|_| spawn_detached(|| ()));
        yield_now();
    };
    assert_eq!(allocations(batch), 0);
}

#[test]
fn yields() {
    let stop = std::rc::Rc::new(Cell::new(false));
    let until = stop.clone();
    let other = spawn(move || {
        while !until.get() {
            yield_now();
        }
    });
    assert_eq!(allocations(yield_now), 0);
    stop.set(true);
    other.join().unwrap();
}

#[test]
fn sleeps() {
    assert_eq!(allocations(|| sleep(Duration::from_micros(1))), 0);
    let several = || {
        let tasks: [_; 4] =
            std::array::from_fn(|n| spawn(move || sleep(Duration::from_micros(n as u64))));
        tasks.into_iter().for_each(|task| task.join().unwrap());
    };
    assert_eq!(allocations(several), 0);
}

#[test]
fn limits_that_do_not_pass() {
    let minute = Duration::from_secs(60);
    assert_eq!(allocations(|| assert_eq!(timeout(minute, || 7), Ok(7))), 0);
    assert_eq!(allocations(|| timeout(minute, || timeout(minute, yield_now)).unwrap().unwrap()), 0);
    let nested = || {
        let sleeper = || sleep(Duration::from_micros(1));
        assert!(timeout(minute, sleeper).is_ok());
    };
    assert_eq!(allocations(nested), 0);
    // The value form keeps its node in a box.
    assert_eq!(allocations(|| drop(Timeout::start(minute))), 1000);
}

#[test]
fn waits_with_a_limit() {
    let parked = spawn(|| sleep(Duration::MAX));
    assert_eq!(allocations(|| assert!(!parked.wait_timeout(Duration::from_micros(1)))), 0);
    parked.kill();
}

#[test]
fn shields() {
    assert_eq!(allocations(|| shield(yield_now)), 0);
}

/// The kill itself needs nothing; to raise it, the unwinder needs its one object.
#[test]
fn kills() {
    let ready = || {
        let task = spawn(|| ());
        task.kill_soon();
        assert!(task.join().is_err());
    };
    assert_eq!(allocations(ready), 0, "before it begins");
    let parked = || {
        let task = spawn(|| sleep(Duration::MAX));
        yield_now();
        task.kill_soon();
        assert!(task.join().is_err());
    };
    assert_eq!(allocations(parked), 1000, "while it is parked");
    let caught = || drop(catch_unwind(|| std::panic::resume_unwind(Box::new(()))));
    assert_eq!(allocations(caught), 1000, "what unwinding costs by itself");
}
