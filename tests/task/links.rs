//! Links: who is told of a task's end, when, and in which order.

use super::trace::Trace;
use super::{LONG, SHORT};
use greenlet::{
    JoinHandle, Link, TaskState, current, idle, scope, sleep, spawn, timeout, yield_now,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

/// A task that will end in this way.
fn ends(how: &str) -> JoinHandle<()> {
    match how {
        "ok" => spawn(|| ()),
        "failed" => spawn(|| resume_unwind(Box::new(()))),
        _ => {
            let killed = spawn(|| sleep(LONG));
            killed.kill_soon();
            killed
        }
    }
}

#[test]
fn each_kind_is_told_of_its_ends() {
    let trace = Trace::default();
    for how in ["ok", "failed", "killed"] {
        let task = ends(how);
        let tell = |kind: &'static str| {
            let trace = trace.clone();
            move |end: greenlet::TaskEnd| trace.add(format_args!("{how}: {kind} {:?}", end.state))
        };
        task.on_done(tell("done"));
        task.on_ok(tell("ok"));
        task.on_err(tell("err"));
        task.on_done_inline(tell("inline"));
        assert!(task.has_links());
        task.wait();
        idle();
        assert!(!task.has_links());
        let _ = task.join();
    }
    trace.is(&[
        "ok: inline Succeeded",
        "ok: done Succeeded",
        "ok: ok Succeeded",
        "failed: inline Failed",
        "failed: done Failed",
        "failed: err Failed",
        "killed: inline Killed",
        "killed: done Killed",
        "killed: err Killed",
    ]);
}

#[test]
fn links_are_called_in_order_after_those_who_wait_were_woken() {
    let trace = Trace::default();
    let task = Rc::new(spawn(yield_now));
    let (told, waited) = (trace.clone(), task.clone());
    let waiter = spawn(move || {
        waited.wait();
        told.add("waiter");
    });
    for name in ["first", "second"] {
        let told = trace.clone();
        task.on_done(move |_| told.add(name));
    }
    let told = trace.clone();
    task.on_done_inline(move |_| told.add("inline"));
    waiter.join().unwrap();
    idle();
    trace.is(&["inline", "waiter", "first", "second"]);
}

#[test]
fn a_callback_has_a_task_of_its_own_and_may_wait() {
    let trace = Trace::default();
    let task = spawn(|| current().id());
    let told = trace.clone();
    task.on_done(move |end| {
        yield_now();
        told.add(format_args!("{}", current().id() != end.id));
    });
    let told = trace.clone();
    task.on_done_inline(move |end| {
        told.add(format_args!("{} {}", current().id() == end.id, end.name.is_none()));
    });
    task.join().unwrap();
    idle();
    trace.is(&["true true", "true"]);
}

#[test]
fn a_late_link_is_called_all_the_same() {
    let trace = Trace::default();
    let task = spawn(|| ());
    task.wait();
    let told = trace.clone();
    task.on_done_inline(move |end| told.add(format_args!("inline {:?}", end.state)));
    let told = trace.clone();
    task.on_done(move |end| told.add(format_args!("spawned {:?}", end.state)));
    let told = trace.clone();
    task.on_err(move |_| told.add("not"));
    trace.is(&["inline Succeeded"]);
    yield_now();
    trace.is(&["spawned Succeeded"]);
    assert!(!task.has_links());
}

#[test]
fn what_is_unlinked_is_dropped_and_not_called() {
    let trace = Trace::default();
    let task = spawn(|| ());
    let guard = trace.guard("callback");
    let link = task.on_done_inline(move |_| drop(guard));
    assert!(link.unlink() && !task.has_links());
    trace.is(&["callback dropped"]);
    // One that is dropped stays linked.
    let told = trace.clone();
    drop(task.on_done_inline(move |_| told.add("called")));
    let called = task.on_done_inline(|_| ());
    task.wait();
    assert!(!called.unlink());
    trace.is(&["called"]);
}

#[test]
fn a_link_may_unlink_later_ones_and_link_more() {
    let trace = Trace::default();
    let task = Rc::new(spawn(|| ()));
    let later: Rc<Cell<Option<Link>>> = Rc::default();
    let (unlinked, told, linked) = (later.clone(), trace.clone(), task.clone());
    task.on_done_inline(move |_| {
        assert!(unlinked.take().unwrap().unlink());
        let more = told.clone();
        linked.on_done_inline(move |_| more.add("linked meanwhile"));
        told.add("first");
    });
    let told = trace.clone();
    later.set(Some(task.on_done_inline(move |_| told.add("unlinked"))));
    let told = trace.clone();
    task.on_done_inline(move |_| told.add("last"));
    task.wait();
    trace.is(&["first", "last", "linked meanwhile"]);
}

#[test]
fn many_links_that_come_and_go_leave_nothing() {
    let task = spawn(|| ());
    let count = Rc::new(Cell::new(0));
    let links = RefCell::new(Vec::new());
    for number in 0..1000 {
        let count = count.clone();
        let link = task.on_done_inline(move |_| count.set(count.get() + 1));
        match number % 100 {
            0 => links.borrow_mut().push(link),
            _ => drop(link.unlink()),
        }
    }
    task.wait();
    assert_eq!(count.get(), 10);
    assert!(links.take().into_iter().all(|link| !link.unlink()));
}

#[test]
fn a_panic_in_a_link_goes_no_further() {
    let trace = Trace::default();
    let task = spawn(|| 7);
    task.on_done_inline(|_| resume_unwind(Box::new("in a link")));
    let told = trace.clone();
    task.on_done_inline(move |_| told.add("next"));
    assert_eq!(task.join().unwrap(), 7);
    trace.is(&["next"]);
}

#[test]
fn a_kill_that_came_too_late_does_not_reach_the_links() {
    let trace = Trace::default();
    let task: Rc<std::cell::OnceCell<JoinHandle<()>>> = Rc::default();
    let own = task.clone();
    task.set(spawn(move || own.get().unwrap().kill_soon())).unwrap();
    let told = trace.clone();
    task.get().unwrap().on_done_inline(move |end| {
        yield_now();
        told.add(format_args!("{:?}", end.state));
    });
    idle();
    trace.is(&["Succeeded"]);
    assert_eq!(task.get().unwrap().state(), TaskState::Succeeded);
}

/// It is called here, for the task has ended: what comes meanwhile is for the caller, and later.
#[test]
fn a_limit_that_passes_in_a_link_called_at_once_is_raised_behind_it() {
    let task = ends("ok");
    task.wait();
    let called = Rc::new(Cell::new(false));
    let says = called.clone();
    let late = timeout(SHORT, || {
        task.on_done_inline(move |_| {
            sleep(2 * SHORT);
            says.set(true);
        });
        sleep(LONG);
    });
    assert!(late.is_err() && called.get());
}

#[test]
fn many_that_wait_are_told_of_a_child_whose_scope_fails_meanwhile() {
    let told = Rc::new(Cell::new(0));
    let scoped = catch_unwind(AssertUnwindSafe(|| {
        scope(|s| {
            let child = s.spawn(|| ());
            for _ in 0..10 {
                let told = told.clone();
                child.on_done_inline(move |_| {
                    sleep(SHORT);
                    told.set(told.get() + 1);
                });
            }
            while !child.is_finished() {
                yield_now();
            }
            idle(); // the child has ended, and waits in its first link
            panic!("the scope fails");
        })
    }));
    assert!(scoped.is_err());
    // One of them was ended by the scope: the one that waited then.
    assert!(told.get() >= 9, "{}", told.get());
}
