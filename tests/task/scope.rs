//! Tasks that borrow.

use super::trace::Trace;
use super::{LONG, SHORT};
use greenlet::{
    Elapsed, Greenlet, ScopedJoinHandle, TaskBuilder, TaskState, scope, shield, sleep, spawn,
    suspend, timeout, wait, yield_now,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn children_borrow_and_are_waited_for() {
    let trace = Trace::default();
    let (mut a, b) = (String::from("a"), String::from("b"));
    let result = scope(|s| {
        let first = s.spawn(|| {
            yield_now();
            a.push('!');
            trace.add("first");
        });
        s.spawn(|| {
            sleep(SHORT);
            trace.add(&b);
        });
        assert_eq!(first.state(), TaskState::Waiting);
        trace.add("body");
        7
    });
    trace.add("after");
    trace.is(&["body", "first", "b", "after"]);
    assert_eq!((result, a.as_str()), (7, "a!"));
    assert_eq!(scope(|_| 1), 1);
}

#[test]
fn children_return_what_they_borrow() {
    let words = ["one".to_owned(), "three".to_owned()];
    let longest = scope(|s| {
        let handles = words.each_ref().map(|word| s.spawn(move || word.as_str()));
        let words = handles.map(|handle| handle.join().unwrap());
        words.into_iter().max_by_key(|word| word.len())
    });
    assert_eq!(longest, Some("three"));
}

#[test]
fn a_reference_that_outlives_the_scope_does_not_hold_what_a_child_returned() {
    struct Loud<'a>(&'a Trace, &'static str);
    impl Drop for Loud<'_> {
        fn drop(&mut self) {
            self.0.add(self.1);
        }
    }
    let stolen = {
        let trace = Trace::default();
        let stolen = scope(|s| {
            let ended = s.spawn(|| Loud(&trace, "dropped with its handle"));
            let goes_on = s.spawn(|| {
                yield_now();
                yield_now();
                Loud(&trace, "dropped by its task")
            });
            ended.wait();
            let tasks = [ended.task(), goes_on.task()];
            drop((ended, goes_on));
            trace.add("both handles are gone");
            tasks
        });
        trace.is(&["dropped with its handle", "both handles are gone", "dropped by its task"]);
        stolen
    };
    assert!(stolen.iter().all(|task| task.is_finished()));
}

#[test]
fn children_spawn_children() {
    let count = Cell::new(0);
    scope(|s| {
        s.spawn(|| {
            for _ in 0..3 {
                s.spawn(|| {
                    yield_now();
                    s.spawn(|| count.set(count.get() + 1));
                });
            }
        });
    });
    assert_eq!(count.get(), 3);
}

#[test]
fn scopes_nest_and_are_used_by_many() {
    let sum = Cell::new(0);
    scope(|outer| {
        for n in 0..10 {
            let sum = &sum;
            outer.spawn(move || {
                let local = Cell::new(0);
                scope(|inner| {
                    for _ in 0..10 {
                        inner.spawn(|| local.set(local.get() + n));
                    }
                });
                sum.set(sum.get() + local.get());
            });
        }
    });
    assert_eq!(sum.get(), 450);
}

#[test]
fn a_panic_of_a_child_is_raised_when_all_have_ended() {
    let trace = Trace::default();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        scope(|s| {
            let failing = TaskBuilder::new().name("failing");
            drop(failing.spawn_scoped(s, || resume_unwind(Box::new("broken"))).map(|h| h.id()));
            s.spawn(|| {
                sleep(SHORT);
                trace.add("the other goes on");
            });
        });
    }));
    let payload = outcome.unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("a task of a scope failed: greenlet "), "{text}");
    assert!(text.contains(" 'failing', spawned at ") && text.ends_with("failed: broken"));
    trace.is(&["the other goes on"]);
}

#[test]
fn a_panic_that_was_joined_is_not_raised_again() {
    scope(|s| {
        let handle = s.spawn(|| resume_unwind(Box::new("broken")));
        let error = handle.join().unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&"broken"));
    });
    // Nor is a kill.
    scope(|s| s.spawn(|| sleep(LONG)).kill());
}

#[test]
fn a_panic_of_the_body_kills_the_children_first() {
    let trace = Trace::default();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        scope(|s| {
            s.spawn(|| {
                let _guard = trace.guard("running");
                sleep(LONG);
            });
            yield_now();
            s.spawn(|| trace.add("never begins"));
            let shielded = trace.clone();
            s.spawn(move || shielded.add("never begins"));
            resume_unwind(Box::new("body"));
        })
    }));
    assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"body"));
    trace.is(&["running dropped"]);
}

#[test]
fn an_interrupt_kills_the_children_first() {
    for in_body in [false, true] {
        // Out of time.
        let (trace, held) = (Trace::default(), Cell::new(false));
        let late: Result<(), Elapsed> = timeout(SHORT, || {
            scope(|s| {
                s.spawn(|| {
                    let _guard = trace.guard("child");
                    sleep(LONG);
                });
                s.spawn(|| {
                    shield(|| {
                        sleep(SHORT * 2);
                        held.set(true);
                    })
                });
                if in_body {
                    sleep(LONG);
                }
            });
        });
        assert!(late.is_err() && held.get(), "what is shielded is waited for");
        trace.is(&["child dropped"]);
        // Killed.
        let guard = trace.guard("child");
        let task = spawn(move || {
            scope(|s| {
                s.spawn(|| {
                    let _guard = guard;
                    sleep(LONG);
                });
                if in_body {
                    sleep(LONG);
                }
            });
        });
        yield_now();
        yield_now();
        task.kill();
        trace.is(&["child dropped"]);
        assert_eq!(task.state(), TaskState::Killed);
    }
}

#[test]
fn a_scope_in_a_shield_waits_in_peace() {
    let done = Cell::new(false);
    let late = timeout(Duration::ZERO, || {
        shield(|| {
            scope(|s| {
                s.spawn(|| {
                    sleep(SHORT);
                    done.set(true);
                });
            });
        });
        yield_now();
    });
    assert!(late.is_err() && done.get());
}

#[test]
fn what_is_spawned_while_the_scope_is_killed_never_begins() {
    let trace = Trace::default();
    let late = timeout(SHORT, || {
        scope(|s| {
            s.spawn(|| {
                let _ = catch_unwind(AssertUnwindSafe(|| sleep(LONG)));
                s.spawn(|| trace.add("began"));
                trace.add("spawned");
            });
        });
    });
    assert!(late.is_err());
    trace.is(&["spawned"]);
}

#[test]
fn some_exits_may_be_swallowed() {
    let swallowed = Cell::new(0);
    let late = timeout(SHORT, || {
        scope(|s| {
            s.spawn(|| {
                while swallowed.get() < 7 {
                    if catch_unwind(|| sleep(LONG)).is_err() {
                        swallowed.set(swallowed.get() + 1);
                    }
                }
            });
        });
    });
    assert!(late.is_err());
    assert_eq!(swallowed.get(), 7);
}

#[test]
fn handles_of_children_do_what_handles_do() {
    scope(|s| {
        let task = TaskBuilder::new().name("child").spawn_scoped(s, || 7).unwrap();
        let other = s.spawn(|| sleep(LONG));
        assert_eq!((task.name().as_deref(), task.value()), (Some("child"), None));
        assert_eq!(wait(&[&*other, &*task]).first(), Some(1));
        assert_eq!(task.value(), Some(&7));
        assert!(!other.wait_timeout(SHORT) && !other.cancel());
        other.kill();
        assert!(other.join().unwrap_err().is_killed());
        assert_eq!(task.join().unwrap(), 7);
    });
}

#[test]
fn a_value_that_waits_while_it_is_dropped_is_waited_for() {
    // The result of a child whose handle is gone is dropped by the child, and borrows.
    struct Slow<'a>(&'a Cell<bool>);
    impl Drop for Slow<'_> {
        fn drop(&mut self) {
            sleep(SHORT);
            self.0.set(true);
        }
    }
    let dropped = Cell::new(false);
    scope(|s| {
        s.spawn(|| Slow(&dropped));
    });
    assert!(dropped.replace(false));
    // So is the closure of one that never begins.
    scope(|s| {
        let slow = Slow(&dropped);
        s.spawn(move || drop(slow)).kill_soon();
    });
    assert!(dropped.get());
}

#[test]
fn a_thousand_children_come_and_go() {
    let count = Cell::new(0);
    let handles = RefCell::new(Vec::new());
    scope(|s| {
        for _ in 0..1000 {
            handles.borrow_mut().push(Rc::new(()));
            s.spawn(|| {
                yield_now();
                count.set(count.get() + 1);
            });
        }
    });
    assert_eq!(count.get(), 1000);
}

#[test]
fn a_kill_reaches_scopes_within_scopes_innermost_first() {
    let trace = Trace::default();
    let (outer, middle, inner) =
        (trace.guard("outer"), trace.guard("middle"), trace.guard("inner"));
    let task = spawn(move || {
        let _outer = outer;
        scope(|s| {
            s.spawn(|| {
                let _middle = middle;
                scope(|s| {
                    s.spawn(|| {
                        let _inner = inner;
                        sleep(LONG);
                    });
                });
            });
        });
    });
    for _ in 0..3 {
        yield_now();
    }
    task.kill();
    trace.is(&["inner dropped", "middle dropped", "outer dropped"]);
    assert_eq!(task.state(), TaskState::Killed);
}

#[test]
fn a_throw_at_a_suspended_greenlet_ends_its_scope() {
    let trace = Trace::default();
    let told = trace.clone();
    let raw = Greenlet::new(move |()| {
        scope(|s| {
            s.spawn(|| {
                let _guard = told.guard("child");
                sleep(LONG);
            });
            yield_now();
            suspend::<(), ()>(());
        });
    });
    let () = raw.switch(());
    // It parks until its child has ended, then dies of what was thrown: here, in its parent.
    let thrown = catch_unwind(AssertUnwindSafe(|| raw.throw::<()>(7_i32)));
    trace.is(&["child dropped"]);
    assert_eq!(thrown.unwrap_err().downcast_ref(), Some(&7_i32));
    assert!(raw.is_dead());
}

#[test]
fn a_task_of_a_scope_is_joined_in_a_limit_or_at_once() {
    scope(|s| {
        let task = s.spawn(|| {
            sleep(SHORT);
            resume_unwind(Box::new("taken"))
        });
        let task: ScopedJoinHandle<'_, ()> = task.try_join().unwrap_err();
        let task = task.join_timeout(Duration::ZERO).unwrap_err();
        // It was taken: the scope does not raise it.
        assert_eq!(task.join_timeout(LONG).unwrap().unwrap_err().payload_as_str(), Some("taken"));
        let done = s.spawn(|| 5);
        done.wait();
        assert_eq!(done.try_join().unwrap().unwrap(), 5);
    });
}
