//! Waiting for one task.

use super::trace::Trace;
use super::{LONG, SHORT};
use greenlet::{Deadlock, Elapsed, TaskState, idle, shield, sleep, spawn, timeout, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn states_follow_a_task_through_its_life() {
    let task = spawn(|| {
        yield_now();
        5
    });
    assert_eq!((task.state(), task.value()), (TaskState::Waiting, None));
    yield_now();
    assert_eq!(task.state(), TaskState::Running);
    assert!(task.is_started() && !task.is_finished() && task.greenlet().is_some());
    task.wait();
    assert_eq!((task.state(), task.value()), (TaskState::Succeeded, Some(&5)));
    assert!(task.is_success() && task.greenlet().is_none());
    task.wait(); // again, at once
    assert_eq!(task.try_join().unwrap().unwrap(), 5);
}

#[test]
fn a_panic_ends_in_the_handle() {
    let task = spawn(|| resume_unwind(Box::new("broken")));
    task.wait();
    assert_eq!(task.state(), TaskState::Failed);
    let error = task.join().unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&"broken"));
    assert!(!error.is_killed() && error.to_string().ends_with(" failed: broken"));
    let again = catch_unwind(AssertUnwindSafe(|| error.resume())).unwrap_err();
    assert_eq!(again.downcast_ref(), Some(&"broken"));
}

#[test]
fn what_was_raised_can_be_looked_at_in_the_handle() {
    let task = spawn(|| -> i32 { std::panic::panic_any(format!("{} is odd", 7)) });
    assert!(task.payload().is_none() && task.payload_as_str().is_none());
    task.wait();
    assert_eq!((task.value(), task.payload_as_str()), (None, Some("7 is odd")));
    assert_eq!(task.join().unwrap_err().payload_as_str(), Some("7 is odd"));

    let well = spawn(|| 7);
    well.wait();
    assert!(well.payload().is_none());
    let killed = spawn(|| sleep(LONG));
    killed.kill_with(7_u8);
    assert_eq!(killed.payload().unwrap().downcast_ref(), Some(&7_u8));
    assert_eq!(killed.payload_as_str(), None);
    assert_eq!(killed.join().unwrap_err().payload_as_str(), None);
}

#[test]
fn several_wait_for_one_and_are_woken_in_order() {
    let trace = Trace::default();
    let task = Rc::new(spawn(|| sleep(SHORT)));
    let waiters = ["a", "b", "c"].map(|name| {
        let (task, trace) = (task.clone(), trace.clone());
        spawn(move || {
            task.wait();
            trace.add(name);
        })
    });
    for waiter in waiters {
        waiter.join().unwrap();
    }
    trace.is(&["a", "b", "c"]);
}

#[test]
fn a_join_that_takes_too_long_gives_the_handle_back() {
    let task = spawn(|| sleep(LONG));
    assert!(!task.wait_timeout(Duration::ZERO));
    assert!(!task.wait_timeout(SHORT));
    let task = task.join_timeout(SHORT).unwrap_err();
    let task = task.try_join().unwrap_err();
    task.kill();
    assert!(task.join_timeout(SHORT).unwrap().unwrap_err().is_killed());
}

#[test]
fn whoever_is_interrupted_in_a_join_leaves_the_task_alone() {
    let task = Rc::new(spawn(|| {
        sleep(SHORT);
        7
    }));
    // Out of time.
    assert!(timeout(Duration::ZERO, || task.wait()).is_err());
    // Killed, and thrown at.
    let waiting = task.clone();
    let waiter = spawn(move || waiting.wait());
    yield_now();
    waiter.kill();
    assert!(waiter.join().unwrap_err().is_killed());
    let waiting = task.clone();
    let waiter = spawn(move || catch_unwind(AssertUnwindSafe(|| waiting.wait())).unwrap_err());
    yield_now();
    waiter.greenlet().unwrap().throw::<()>("thrown");
    assert_eq!(waiter.join().unwrap().downcast_ref(), Some(&"thrown"));
    // Held back: the wait goes on, and the throw comes behind.
    let waiting = task.clone();
    let waiter = spawn(move || {
        let value = shield(|| {
            waiting.wait();
            waiting.value().copied()
        });
        let after = catch_unwind(yield_now).unwrap_err();
        (value, after.downcast_ref() == Some(&"late"))
    });
    yield_now();
    waiter.kill_soon_with("late");
    assert_eq!(waiter.join().unwrap(), (Some(7), true));
    assert_eq!(task.value(), Some(&7));
}

#[test]
fn a_task_goes_on_without_its_handle() {
    let trace = Trace::default();
    let (guard, told) = (trace.guard("result"), trace.clone());
    drop(spawn(move || {
        yield_now();
        told.add("ran");
        guard
    }));
    trace.is(&[]);
    idle();
    trace.is(&["ran", "result dropped"]);
}

#[test]
fn a_result_that_nobody_takes_is_dropped_once() {
    let trace = Trace::default();
    let guard = trace.guard("result");
    let task = spawn(move || guard);
    task.wait();
    trace.is(&[]);
    drop(task);
    trace.is(&["result dropped"]);
    let guard = trace.guard("result");
    drop(spawn(move || guard).join().unwrap());
    trace.is(&["result dropped"]);
}

#[test]
fn a_task_cannot_wait_for_itself() {
    let task = Rc::new(std::cell::OnceCell::<greenlet::JoinHandle<bool>>::new());
    let own = task.clone();
    let handle =
        spawn(move || catch_unwind(AssertUnwindSafe(|| own.get().unwrap().wait())).is_err());
    task.set(handle).unwrap();
    let handle = task.get().unwrap();
    handle.wait();
    assert_eq!(handle.value(), Some(&true));
}

#[test]
fn tasks_that_wait_for_one_another_are_a_deadlock() {
    type Cell = Rc<std::cell::OnceCell<greenlet::JoinHandle<()>>>;
    let (a, b) = (Cell::default(), Cell::default());
    let waits_for = |other: &Cell| {
        let other = other.clone();
        spawn(move || other.get().unwrap().wait())
    };
    a.set(waits_for(&b)).unwrap();
    b.set(waits_for(&a)).unwrap();
    let payload = catch_unwind(AssertUnwindSafe(|| a.get().unwrap().wait())).unwrap_err();
    let deadlock = payload.downcast_ref::<Deadlock>().unwrap();
    assert_eq!(deadlock.waiting().len(), 3);
    assert!(deadlock.waiting().iter().all(|line| line.ends_with("waits for the end of a task")));
    a.get().unwrap().kill();
}

#[test]
fn the_limit_of_a_joiner_is_not_that_of_the_task() {
    let task = spawn(|| timeout(SHORT, || sleep(LONG)));
    let late: Elapsed = timeout(LONG, || task.join()).unwrap().unwrap().unwrap_err();
    assert_eq!(late.limit(), SHORT);
}
