//! An event of several threads.

use crate::{LONG, hub_thread, ms};
use greenlet::sync::thread::Event;
use greenlet::{spawn, yield_now};
use std::sync::Arc;
use std::thread;

#[test]
fn all_who_wait_are_woken_wherever_they_are() {
    let (event, ready) = (Arc::new(Event::new()), std::sync::mpsc::channel());
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let (event, ready) = (event.clone(), ready.0.clone());
            let wait = move || {
                ready.send(()).unwrap();
                event.wait();
            };
            if n % 2 == 0 { thread::spawn(wait) } else { hub_thread(wait) }
        })
        .collect();
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let event = event.clone();
            spawn(move || event.wait_timeout(LONG))
        })
        .collect();
    (0..4).for_each(|_| ready.1.recv().unwrap());
    yield_now();
    thread::spawn({
        let event = event.clone();
        move || event.set()
    });
    event.wait();
    assert!(tasks.into_iter().all(|task| task.join().unwrap()));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_wait_that_was_served_ends_well_though_the_flag_is_cleared() {
    let event = Arc::new(Event::new());
    let waiting = spawn({
        let event = event.clone();
        move || event.wait_timeout(LONG)
    });
    yield_now();
    event.set();
    event.clear();
    assert!(waiting.join().unwrap());
    assert!(!event.is_set());
    assert!(!event.wait_timeout(ms(1)));
    assert_eq!(format!("{event:?}"), "Event { is_set: false, .. }");
}

#[test]
fn a_killed_waiter_is_forgotten() {
    let event = Arc::new(Event::new());
    let waiting = spawn({
        let event = event.clone();
        move || event.wait()
    });
    yield_now();
    waiting.kill();
    assert!(waiting.join().unwrap_err().is_killed());
    event.set();
    event.wait();
}
