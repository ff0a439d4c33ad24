//! What is chosen before a task is spawned, and when it begins.

use super::trace::Trace;
use super::{LONG, SHORT, until};
use greenlet::{
    TaskBuilder, TaskState, current, idle, sleep, spawn, spawn_detached, spawn_later,
    stack_remaining, yield_now,
};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

#[test]
fn a_name_is_seen_everywhere() {
    let task = TaskBuilder::new().name("worker").spawn(|| current().name()).unwrap();
    assert_eq!(task.name().as_deref(), Some("worker"));
    assert_eq!(task.greenlet().unwrap().name().as_deref(), Some("worker"));
    assert!(format!("{task:?}").contains("worker"));
    let id = task.id();
    assert_eq!(task.join().unwrap().as_deref(), Some("worker"));
    let killed = TaskBuilder::new().name("victim").spawn(|| sleep(LONG)).unwrap();
    killed.kill();
    let error = killed.join().unwrap_err();
    assert_eq!((error.name(), error.id() != id), (Some("victim"), true));
    assert!(error.to_string().ends_with(" 'victim' was killed"), "{error}");
}

#[test]
fn a_stack_has_the_size_that_was_asked_for() {
    let default = spawn(stack_remaining).join().unwrap().unwrap();
    let large = TaskBuilder::new().stack_size(1 << 20).spawn(stack_remaining).unwrap();
    let large = large.join().unwrap().unwrap();
    assert!(default < 70_000 && large > 1_000_000, "{default} {large}");
    assert!(TaskBuilder::new().stack_size(usize::MAX).spawn(|| ()).is_err());
}

#[test]
fn tasks_know_where_and_by_whom_they_were_spawned() {
    let outer = spawn(|| {
        let inner = TaskBuilder::new().spawn(|| ()).unwrap();
        (current().id(), inner.spawned_by(), inner.spawned_at().line())
    });
    let line = line!() - 3;
    assert_eq!(outer.spawned_by(), current().id());
    assert!(outer.spawned_at().file().ends_with("builder.rs"));
    let (id, by, at) = outer.join().unwrap();
    assert_eq!((by, at), (id, line));
}

#[test]
fn what_is_spawned_runs_in_order_once_the_spawner_waits() {
    let trace = Trace::default();
    for name in ["a", "b", "c"] {
        let trace = trace.clone();
        spawn_detached(move || trace.add(name));
    }
    trace.add("spawned");
    yield_now();
    trace.is(&["spawned", "a", "b", "c"]);
}

#[test]
fn later_ones_begin_in_the_order_of_their_moments() {
    loop {
        let (trace, began) = (Trace::default(), Instant::now());
        let tasks = [(80, "last"), (40, "second"), (0, "first")].map(|(ms, name)| {
            let trace = trace.clone();
            spawn_later(Duration::from_millis(ms), move || trace.add(name))
        });
        let all_wait = began.elapsed();
        assert!(tasks.iter().all(|task| task.state() == TaskState::Waiting));
        yield_now();
        assert!(tasks[2].is_finished());
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert!(began.elapsed() >= Duration::from_millis(80));
        // Otherwise the machine has paused between two of them, and the moments have another order.
        if all_wait < Duration::from_millis(20) {
            return trace.is(&["first", "second", "last"]);
        }
    }
}

#[test]
fn a_later_one_that_is_killed_before_its_moment_never_runs() {
    let trace = Trace::default();
    let guard = trace.guard("closure");
    let task = spawn_later(LONG, move || drop(guard));
    let told = trace.clone();
    task.on_done_inline(move |end| told.add(format_args!("{:?}", end.state)));
    idle();
    assert_eq!(task.state(), TaskState::Waiting);
    task.kill();
    trace.is(&["closure dropped", "Killed"]);
    assert!(task.join().unwrap_err().is_killed());
    let thrown_at = spawn_later(LONG, || unreachable!());
    thrown_at.greenlet().unwrap().throw::<()>(7_i32);
    assert_eq!(thrown_at.join().unwrap_err().downcast_ref(), Some(&7_i32));
    // Before its first turn, and with its handle dropped.
    let task = spawn_later(LONG, || unreachable!());
    assert!(task.cancel());
    task.wait();
    drop(spawn_later(SHORT, || ()));
}

#[test]
fn a_later_one_outlives_its_spawner() {
    let trace = Trace::default();
    let told = trace.clone();
    spawn(move || drop(spawn_later(SHORT, move || told.add("ran")))).join().unwrap();
    trace.is(&[]);
    until(|| trace.has(1));
    trace.is(&["ran"]);
}

#[test]
fn a_large_closure_and_a_large_result_are_moved_whole() {
    let big = [7_u8; 8000];
    let task = TaskBuilder::new().stack_size(256 << 10).spawn(move || big).unwrap();
    assert!(task.join().unwrap().iter().all(|&byte| byte == 7));
    #[repr(align(256))]
    struct Aligned(u8);
    let aligned = Aligned(3);
    assert_eq!(spawn(move || aligned).join().unwrap().0, 3);
}

#[test]
fn a_builder_spawns_what_nobody_waits_for() {
    let name = Rc::new(RefCell::new(None));
    let told = name.clone();
    let builder = TaskBuilder::new().name("alone");
    builder.spawn_detached(move || *told.borrow_mut() = current().name()).unwrap();
    idle();
    assert_eq!(name.borrow().as_deref(), Some("alone"));
}
