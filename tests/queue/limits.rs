//! Waits for a limited time.

use super::ms;
use greenlet::sync::queue::{Channel, GetError, PutError, Queue};
use greenlet::{sleep, spawn, timeout, yield_now};
use std::time::{Duration, Instant};

#[test]
fn a_get_gives_up_in_time_and_leaves_nothing_behind() {
    let queue = Queue::unbounded();
    let began = Instant::now();
    assert_eq!(queue.get_timeout(ms(3)), Err(GetError::Empty));
    assert!(began.elapsed() >= ms(3));
    assert_eq!(queue.getting(), 0);
    queue.put(1).unwrap();
    assert_eq!(queue.try_get(), Ok(1));
}

#[test]
fn a_put_gives_up_in_time_and_returns_its_item() {
    let queue = Queue::bounded(1);
    queue.put(1).unwrap();
    assert_eq!(queue.put_timeout(2, ms(2)), Err(PutError::Full(2)));
    assert_eq!((queue.len(), queue.putting()), (1, 0));
    let channel = Channel::new();
    assert_eq!(channel.put_timeout(2, ms(2)), Err(PutError::Full(2)));
    assert_eq!((channel.len(), channel.putting()), (0, 0));
}

#[test]
fn a_limit_that_does_not_pass_changes_nothing() {
    let queue = Queue::bounded(1);
    let putter = queue.clone();
    let task = spawn(move || {
        sleep(ms(1));
        putter.put(1).unwrap();
        putter.put_timeout(2, Duration::MAX)
    });
    assert_eq!(queue.get_timeout(Duration::MAX), Ok(1));
    assert_eq!(queue.get_timeout(Duration::from_secs(60)), Ok(2));
    task.join().unwrap().unwrap();
}

#[test]
fn no_time_at_all_still_lets_others_run() {
    let queue = Queue::unbounded();
    let putter = queue.clone();
    let task = spawn(move || putter.put(1));
    assert_eq!(queue.get_timeout(Duration::ZERO), Ok(1));
    task.join().unwrap().unwrap();
}

#[test]
fn an_item_that_is_promised_when_the_time_is_over_is_gotten() {
    let queue = Queue::unbounded();
    let getter = queue.clone();
    let task = spawn(move || getter.get_timeout(ms(2)));
    yield_now();
    std::thread::sleep(ms(4)); // the time is over, but the getter has not been told
    queue.put(1).unwrap();
    assert_eq!(task.join().unwrap(), Ok(1));
}

#[test]
fn a_limit_from_outside_that_passes_with_the_promise_leaves_the_item() {
    let queue = Queue::unbounded();
    let getter = queue.clone();
    let task = spawn(move || timeout(ms(2), || getter.get()).is_err());
    yield_now();
    std::thread::sleep(ms(4));
    queue.put(1).unwrap();
    let ended_by_limit = task.join().unwrap();
    assert_eq!(queue.try_get().is_ok(), ended_by_limit);
}
