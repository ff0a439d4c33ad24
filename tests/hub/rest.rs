//! Waiting until nothing can happen any more.

use crate::ms;
use greenlet::net::TcpListener;
use greenlet::sync::{Event, queue::Queue};
use greenlet::{
    join_all, offload, run_until_idle, run_until_idle_timeout, sleep, spawn, spawn_detached,
    spawn_later, timeout, yield_now,
};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(600);

#[test]
fn alone_one_rests_at_once() {
    run_until_idle();
    assert!(run_until_idle_timeout(LONG));
    assert!(run_until_idle_timeout(Duration::MAX));
}

#[test]
fn those_who_are_ready_or_wait_for_the_clock_or_a_thread_go_on() {
    let done = Rc::new(Cell::new(0));
    let count = |done: &Rc<Cell<u32>>| done.set(done.get() + 1);
    let ready = done.clone();
    spawn_detached(move || {
        yield_now();
        count(&ready);
    });
    let late = done.clone();
    let _goes_on = spawn_later(ms(2), move || {
        sleep(ms(2));
        count(&late);
        spawn_detached(move || count(&late));
    });
    let elsewhere = done.clone();
    spawn_detached(move || {
        offload(|| std::thread::sleep(ms(2)));
        count(&elsewhere);
    });
    run_until_idle();
    assert_eq!(done.get(), 4);
}

#[test]
fn those_who_wait_for_one_another_for_ever_are_left_to_it() {
    let (queue, event) = (Queue::<u32>::unbounded(), Rc::new(Event::new()));
    let getter = spawn({
        let queue = queue.clone();
        move || queue.get()
    });
    let waiter = spawn({
        let event = event.clone();
        move || event.wait()
    });
    let sleeper = spawn(|| sleep(Duration::MAX));
    run_until_idle();
    assert!(run_until_idle_timeout(LONG), "one who sleeps for ever is no reason to go on");
    assert!(!getter.is_finished() && !waiter.is_finished());
    queue.put(7).unwrap();
    event.set();
    sleeper.kill();
    assert_eq!(getter.join().unwrap(), Ok(7));
    waiter.join().unwrap();
}

#[test]
fn one_who_waits_for_the_kernel_may_go_on_some_day() {
    let listener = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let server = spawn({
        let listener = listener.clone();
        move || listener.accept().map(drop)
    });
    assert!(!run_until_idle_timeout(ms(5)));
    listener.close().unwrap();
    run_until_idle();
    assert!(server.is_finished());
}

#[test]
fn its_limit_is_its_own() {
    let began = Instant::now();
    let task = spawn(|| sleep(LONG));
    assert!(!run_until_idle_timeout(ms(3)));
    assert!(began.elapsed() >= ms(3));
    task.kill();
    assert!(run_until_idle_timeout(LONG));
    assert!(timeout(ms(2), run_until_idle).is_err(), "a limit around it will come");
}

#[test]
fn several_rest_together() {
    let tasks: Vec<_> = (1..=3)
        .map(|n| {
            spawn(move || match n {
                1 => {
                    run_until_idle();
                    true
                }
                2 => run_until_idle_timeout(Duration::MAX),
                _ => run_until_idle_timeout(LONG),
            })
        })
        .collect();
    let worker = spawn(|| sleep(ms(3)));
    assert_eq!(join_all(tasks).join().values().unwrap(), [true; 3]);
    assert!(worker.is_finished());
}

#[test]
fn a_killed_one_leaves_no_trace() {
    let resting = spawn(|| run_until_idle_timeout(LONG));
    let unlimited = spawn(run_until_idle);
    let task = spawn(|| sleep(LONG));
    yield_now();
    resting.kill();
    unlimited.kill();
    assert!(!run_until_idle_timeout(ms(2)));
    task.kill();
    assert!(run_until_idle_timeout(LONG));
}
