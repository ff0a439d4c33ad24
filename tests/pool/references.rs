//! References to tasks of any kind.

use super::{LONG, ms};
use greenlet::{TaskState, idle, sleep, spawn, wait};
use std::rc::Rc;

#[test]
fn tasks_with_different_results_are_kept_together() {
    let (number, text) = (spawn(|| 7), spawn(|| "seven"));
    let tasks = [number.task(), text.task()];
    tasks.iter().for_each(|task| task.wait());
    assert!(tasks.iter().all(|task| task.state() == TaskState::Succeeded && task.is_finished()));
    assert_eq!(
        (tasks[0].id(), number.join().unwrap(), text.join().unwrap()),
        (tasks[0].id(), 7, "seven")
    );
}

#[test]
fn a_reference_ends_its_task() {
    let task = spawn(|| sleep(LONG));
    let reference = task.task();
    assert!(!reference.wait_timeout(ms(1)) && !reference.is_current());
    assert_eq!(wait(&[&reference]).timeout(ms(1)).first(), None);
    reference.clone().kill();
    assert_eq!(wait(&[&reference]).first(), Some(0));
    assert!(task.join().unwrap_err().is_killed());
}

#[test]
fn a_reference_keeps_no_result() {
    let result = Rc::new(());
    let inner = result.clone();
    let task = spawn(move || inner);
    let reference = task.task();
    drop(task);
    idle();
    assert_eq!((Rc::strong_count(&result), reference.state()), (1, TaskState::Succeeded));
}

#[test]
fn a_reference_can_outlive_every_handle_and_kill() {
    let reference = spawn(|| sleep(LONG)).task();
    idle();
    reference.kill_soon_with("enough");
    reference.wait();
    assert_eq!(reference.state(), TaskState::Failed);
}
