//! References to tasks of any kind.

use super::{LONG, ms};
use greenlet::pool::Group;
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

#[test]
fn a_reference_kills_with_a_reason_and_in_a_limit() {
    let task = spawn(|| {
        let _ = std::panic::catch_unwind(|| sleep(LONG)); // swallows the first
        sleep(LONG);
    });
    idle();
    assert!(!task.task().kill_timeout(ms(1)));
    task.task().kill_with("enough");
    assert_eq!(task.payload_as_str(), Some("enough"));
    assert!(task.task().kill_timeout(LONG));
    drop(task.join());
}

#[test]
fn a_pool_knows_its_tasks_by_reference() {
    let group = Group::new();
    let (task, other) = (group.spawn(|| sleep(LONG)), spawn(|| ()));
    assert!(group.contains(&task) && !group.contains(&other));
    let [reference] = &group.tasks()[..] else { panic!("one member") };
    assert!(group.contains(reference) && *reference == task.task());
    assert!(group.discard(reference) && !group.discard(&task) && group.is_empty());
    task.kill();
}
