//! When nothing can happen any more, the root greenlet is told who waits for what.

use crate::in_child::{in_child, this_test};
use crate::ms;
use greenlet::{Deadlock, Greenlet, current, root, shield, sleep, spawn, suspend, yield_now};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

fn caught(f: impl FnOnce()) -> Box<dyn Any + Send> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_err()
}

fn waiting(payload: &(dyn Any + Send)) -> Vec<String> {
    payload.downcast_ref::<Deadlock>().expect("a deadlock").waiting().to_vec()
}

#[test]
fn the_root_that_sleeps_for_ever_is_told_who_waits() {
    let task = spawn(|| sleep(Duration::MAX));
    let id = task.id();
    let payload = caught(|| sleep(Duration::MAX));
    let lines = waiting(&*payload);
    assert_eq!(
        lines,
        ["the root greenlet waits for a sleep".to_owned(), format!("{id} waits for a sleep")]
    );
    let text = payload.downcast_ref::<Deadlock>().unwrap().to_string();
    assert!(text.starts_with("deadlock: every greenlet waits"), "{text}");
    // The program goes on, and so does the hub.
    sleep(ms(1));
    task.kill();
    assert!(task.join().unwrap_err().is_killed());
}

#[test]
fn two_tasks_that_join_each_other_are_a_deadlock() {
    use std::cell::RefCell;
    use std::rc::Rc;
    type Slot = Rc<RefCell<Option<Rc<greenlet::JoinHandle<()>>>>>;
    let slot = Slot::default();
    let other = slot.clone();
    let first = Rc::new(spawn(move || {
        let second = other.borrow().clone().unwrap();
        second.wait();
    }));
    let wanted = first.clone();
    *slot.borrow_mut() = Some(Rc::new(spawn(move || wanted.wait())));
    let payload = caught(|| first.wait());
    let lines = waiting(&*payload);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.iter().all(|line| line.ends_with("waits for the end of a task")), "{lines:?}");
    first.kill();
    slot.borrow().as_ref().unwrap().wait();
}

#[test]
fn a_root_that_waits_for_a_switch_is_told_too() {
    let g = Greenlet::new(|()| sleep(Duration::MAX));
    let payload = caught(|| g.switch(()));
    let lines = waiting(&*payload);
    assert_eq!(lines, [format!("{} waits for a sleep", g.id())]);
    let payload = caught(|| sleep(Duration::MAX));
    assert_eq!(waiting(&*payload).len(), 2);
    drop(g); // the exit is delivered
    sleep(ms(1));
}

#[test]
fn a_deadlock_ends_a_wait_again_and_again() {
    for _ in 0..100 {
        caught(|| sleep(Duration::MAX));
    }
    let task = spawn(|| sleep(ms(1)));
    task.join().unwrap();
}

#[test]
fn a_task_that_tells_the_root_by_a_switch_is_no_deadlock() {
    let g = Greenlet::new(|()| {
        sleep(ms(1));
        let () = suspend(1_i32);
        sleep(ms(1));
        2_i32
    });
    let one: i32 = g.switch(());
    let two: i32 = g.switch(());
    assert_eq!((one, two), (1, 2));
    assert_eq!(current(), root());
}

#[test]
fn a_deadlock_in_a_shield_of_the_root_ends_the_process() {
    let outcome = in_child(this_test!(), || {
        shield(|| sleep(Duration::MAX));
    });
    outcome
        .died_of(libc::SIGABRT)
        .says("deadlock: every greenlet waits")
        .says("the root greenlet waits for a sleep")
        .says("cannot be told: it is in a shield");
}

#[test]
fn a_deadlock_that_nobody_catches_is_reported() {
    let outcome = in_child(this_test!(), || {
        let task = spawn(|| sleep(Duration::MAX));
        task.wait();
    });
    outcome.exited_with(101).says("the root greenlet waits for the end of a task");
}

#[test]
fn a_pending_limit_is_no_deadlock() {
    let ended = greenlet::timeout(ms(5), || sleep(Duration::MAX));
    assert!(ended.is_err());
    yield_now();
}
