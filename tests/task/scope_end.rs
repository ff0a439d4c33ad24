//! No way leads out of a scope while its children live: the published exploits of borrowing
//! coroutines (generator-rs 49 and 59, corosensei 27 and 43), and some of our own.

use super::in_child::{Case, cases_in_children, in_child, this_test};
use super::trace::Trace;
use super::{LONG, SHORT, until};
use greenlet::{Greenlet, TaskBuilder, scope, shield, sleep, spawn, suspend, yield_now};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

#[test]
fn a_forgotten_handle_changes_nothing() {
    let mut value = Box::new(1);
    scope(|s| {
        std::mem::forget(s.spawn(|| {
            sleep(SHORT);
            *value += 1;
        }));
    });
    assert_eq!(*value, 2);
}

#[test]
fn a_handle_that_is_kept_for_ever_leaks_its_result_alone() {
    let (text, ran) = (String::from("borrowed"), Cell::new(false));
    scope(|s| {
        let handle = Rc::new(RefCell::new(None));
        let own = handle.clone();
        // The child holds its own handle, and forgets it.
        *handle.borrow_mut() = Some(s.spawn(|| {
            std::mem::forget(own);
            ran.set(true);
            text.len()
        }));
    });
    assert!(ran.get());
}

#[test]
fn a_forgotten_greenlet_keeps_the_frames_that_its_children_borrow() {
    let trace = Trace::default();
    let told = trace.clone();
    let forgotten = Greenlet::new(move |()| {
        let local = Box::new([1, 2, 3]);
        scope(|s| {
            s.spawn(|| {
                sleep(SHORT);
                told.add(local.iter().sum::<i32>());
            });
            suspend::<(), ()>(()); // and never comes back
        });
    });
    let () = forgotten.switch(());
    std::mem::forget(forgotten);
    until(|| trace.has(1));
    trace.is(&["6"]);
}

#[test]
fn a_greenlet_that_is_dropped_inside_its_scope_is_leaked() {
    const CASES: &[Case<'_>] = &[
        ("child waits", |_| {
            let trace = Trace::default();
            let told = trace.clone();
            let dropped = Greenlet::new(move |()| {
                let local = Box::new([1, 2, 3]);
                let _guard = told.guard("frame");
                scope(|s| {
                    s.spawn(|| {
                        sleep(SHORT);
                        told.add(local.iter().sum::<i32>());
                    });
                    suspend::<(), ()>(());
                });
            });
            let () = dropped.switch(());
            drop(dropped);
            trace.add("left behind");
            until(|| trace.has(2));
            trace.is(&["left behind", "6"]);
        }),
        ("dropped while unwinding", |_| {
            let trace = Trace::default();
            let told = trace.clone();
            let dropped = Greenlet::new(move |()| {
                let local = Box::new([1, 2, 3]);
                scope(|s| {
                    s.spawn(|| told.add(local.len()));
                    suspend::<(), ()>(());
                });
            });
            let () = dropped.switch(());
            let outcome = catch_unwind(AssertUnwindSafe(move || {
                let _dropped = dropped;
                resume_unwind(Box::new(()));
            }));
            assert!(outcome.is_err());
            yield_now();
            trace.is(&["3"]);
        }),
    ];
    cases_in_children(this_test!(), CASES, |case, outcome| {
        if case == "child waits" {
            outcome.exited_with(0).says_only(&[
                "greenlet: greenlet # is leaked with all that it owns: it is killed by drop inside a \
                 scope whose tasks borrow from it",
            ]);
        }
    });
}

#[test]
fn one_that_is_dropped_when_its_children_have_ended_just_ends() {
    let trace = Trace::default();
    let told = trace.clone();
    let dropped = Greenlet::new(move |()| {
        let _guard = told.guard("frame");
        scope(|s| {
            s.spawn(|| told.add("child")).wait();
            suspend::<(), ()>(());
        });
    });
    let () = dropped.switch(());
    drop(dropped);
    trace.is(&["child", "frame dropped"]);
}

#[test]
fn a_destructor_cannot_spawn_while_the_thread_unwinds() {
    struct SpawnInDrop<'a>(&'a Cell<bool>);
    impl Drop for SpawnInDrop<'_> {
        fn drop(&mut self) {
            let refused = catch_unwind(AssertUnwindSafe(|| scope(|s| drop(s.spawn(|| ())))));
            self.0.set(refused.is_err());
        }
    }
    let refused = Cell::new(false);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _guard = SpawnInDrop(&refused);
        resume_unwind(Box::new(()));
    }));
    assert!(outcome.is_err() && refused.get());
}

#[test]
fn a_child_that_does_not_die_ends_the_process() {
    const CASES: &[Case<'_>] = &[
        ("body fails", |_| {
            scope(|s| {
                let stubborn = TaskBuilder::new().name("stubborn");
                let task = stubborn.spawn_scoped(s, || {
                    loop {
                        let _ = catch_unwind(|| sleep(LONG));
                    }
                });
                drop(task);
                yield_now();
                resume_unwind(Box::new("body"));
            })
        }),
        ("killed", |_| {
            let task = spawn(|| {
                scope(|s| {
                    let stubborn = TaskBuilder::new().name("stubborn");
                    let task = stubborn.spawn_scoped(s, || {
                        loop {
                            let _ = catch_unwind(yield_now);
                        }
                    });
                    drop(task);
                });
            });
            yield_now();
            task.kill();
        }),
    ];
    cases_in_children(this_test!(), CASES, |_, outcome| {
        outcome.died_of(libc::SIGABRT).says_line(
            "greenlet: greenlet # 'stubborn' does not die: it has swallowed 8 exits, and a scope \
             that it borrows from cannot end before it",
        );
    });
}

/// Its body is done. It waits while it drops what came too late to be raised in it.
#[test]
fn a_child_that_is_told_to_end_while_it_ends_does_so() {
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            sleep(LONG);
        }
    }
    let outcome = in_child(this_test!(), || {
        let ended = catch_unwind(|| {
            scope(|s| {
                let task = s.spawn(|| shield(yield_now));
                yield_now();
                task.kill_soon_with(Slow);
                yield_now();
                assert!(task.is_finished());
                resume_unwind(Box::new("body"));
            });
        });
        assert_eq!(ended.unwrap_err().downcast_ref(), Some(&"body"));
    });
    outcome.exited_with(0);
}

#[test]
fn a_child_that_nobody_can_reach_is_a_deadlock_and_the_end() {
    const CASES: &[Case<'_>] = &[("suspended in the tree", |_| {
        let elsewhere: Rc<RefCell<Option<Greenlet>>> = Rc::default();
        let (kept, root) = (elsewhere.clone(), greenlet::root());
        scope(|s| {
            s.spawn(move || {
                *kept.borrow_mut() = Some(greenlet::current());
                // Waits for a switch that never comes: to another, who parks for ever.
                let other = Greenlet::new(|()| sleep(std::time::Duration::MAX));
                let () = other.switch(());
                drop(root);
            });
        });
    })];
    cases_in_children(this_test!(), CASES, |_, outcome| {
        outcome
            .died_of(libc::SIGABRT)
            .says("deadlock: every greenlet waits")
            .says("the root greenlet waits for the end of the tasks of its scope")
            .says_line("greenlet: the root greenlet cannot be told: it is in a shield");
    });
}

#[test]
fn a_deadlock_of_the_children_ends_them_and_is_raised() {
    let trace = Trace::default();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        scope(|s| {
            s.spawn(|| {
                let _guard = trace.guard("child");
                sleep(std::time::Duration::MAX);
            });
        });
    }));
    assert!(outcome.unwrap_err().is::<greenlet::Deadlock>());
    trace.is(&["child dropped"]);
}

#[test]
fn a_thread_that_ends_inside_run_unwinds_its_scopes() {
    let trace = Trace::default();
    greenlet::run(|| {
        let told = trace.clone();
        drop(spawn(move || {
            let local = Box::new([1]);
            let _frame = told.guard("frame");
            scope(|s| {
                s.spawn(|| {
                    let _child = told.guard(if local.len() == 1 { "child" } else { "wrong" });
                    sleep(LONG);
                });
            });
        }));
        greenlet::idle();
    });
    trace.is(&["child dropped", "frame dropped"]);
}
