//! The end of a thread, with `greenlet::run` and without it: rules 140, 142, 143, hazard 31.

use crate::child::in_child;
use crate::log::OnDrop;
use greenlet::{Greenlet, GreenletExit, State, SwitchError, Why, suspend, try_suspend};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A suspended greenlet that counts when it is unwound.
fn suspended(ends: &Arc<AtomicU32>) -> Greenlet {
    let ends = ends.clone();
    let g = Greenlet::new(move |()| {
        let _end = OnDrop(move || {
            ends.fetch_add(1, Ordering::Relaxed);
        });
        suspend::<(), ()>(());
    });
    g.switch::<(), ()>(());
    g
}

fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(work).join().unwrap()
}

#[test]
fn run_unwinds_what_is_left_before_the_thread_ends() {
    let ends = Arc::<AtomicU32>::default();
    let counted = ends.clone();
    let answer = in_thread(move || {
        greenlet::run(|| {
            for _ in 0..100 {
                std::mem::forget(suspended(&counted));
            }
            "answer"
        })
    });
    assert_eq!((answer, ends.load(Ordering::Relaxed)), ("answer", 100));
}

#[test]
fn run_unwinds_while_thread_locals_exist() {
    thread_local!(static LOCAL: RefCell<Vec<u8>> = RefCell::new(vec![1, 2, 3]));
    let ends = Arc::<AtomicU32>::default();
    let counted = ends.clone();
    in_thread(move || {
        greenlet::run(|| {
            let g = Greenlet::new(move |()| {
                LOCAL.with(|local| {
                    let _reads = OnDrop(|| {
                        assert_eq!(*local.borrow(), [1, 2, 3]);
                        counted.fetch_add(1, Ordering::Relaxed);
                    });
                    suspend::<(), ()>(());
                });
            });
            g.switch::<(), ()>(());
            std::mem::forget(g);
        });
    });
    assert_eq!(ends.load(Ordering::Relaxed), 1);
}

#[test]
fn handles_that_outlive_run_are_handles_of_the_dead() {
    let g = greenlet::run(|| suspended(&Arc::default()));
    assert_eq!(g.state(), State::Dead);
    assert_eq!(g.switch::<u8, u8>(1), 1);
}

#[test]
fn run_ends_the_unstarted_and_the_unbound_too() {
    let dropped = std::rc::Rc::new(Cell::new(false));
    let held = OnDrop({
        let dropped = dropped.clone();
        move || dropped.set(true)
    });
    greenlet::run(move || {
        std::mem::forget(Greenlet::new(move |()| drop(held)));
        std::mem::forget(Greenlet::unbound());
    });
    assert!(dropped.get());
    assert_eq!(greenlet::all().len(), 1);
}

#[test]
fn run_raises_the_panic_of_its_body_after_it_has_cleaned_up() {
    let ends = Arc::<AtomicU32>::default();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        greenlet::run(|| {
            std::mem::forget(suspended(&ends));
            resume_unwind(Box::new(5_u8));
        });
    }));
    assert_eq!(*caught.unwrap_err().downcast::<u8>().unwrap(), 5);
    assert_eq!(ends.load(Ordering::Relaxed), 1);
}

#[test]
fn run_ends_greenlets_that_cleanup_makes() {
    let ends = Arc::<AtomicU32>::default();
    greenlet::run(|| {
        let counted = ends.clone();
        let g = Greenlet::new(move |()| {
            let _makes = OnDrop(|| {
                let held = OnDrop({
                    let counted = counted.clone();
                    move || {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                });
                std::mem::forget(Greenlet::new(move |()| drop(held)));
            });
            suspend::<(), ()>(());
        });
        g.switch::<(), ()>(());
        std::mem::forget(g);
    });
    assert_eq!(ends.load(Ordering::Relaxed), 1);
    assert_eq!(greenlet::all().len(), 1);
}

#[test]
fn run_belongs_into_the_root() {
    let g = Greenlet::new(|()| greenlet::run(|| ()));
    let answer = catch_unwind(AssertUnwindSafe(|| g.switch::<(), ()>(())));
    assert!(answer.unwrap_err().downcast::<&str>().unwrap().contains("the root greenlet"));
}

#[test]
fn run_gives_up_one_that_swallows_its_exit() {
    let case = || {
        in_thread(|| {
            greenlet::run(|| {
                let g = Greenlet::builder().name("clinging").create(|()| {
                    loop {
                        let _ = try_suspend::<(), ()>(());
                    }
                });
                g.unwrap().switch::<(), ()>(());
                let other = Greenlet::new(|()| suspend::<(), ()>(()));
                other.switch::<(), ()>(());
                std::mem::forget(other);
            });
            assert_eq!(greenlet::all().len(), 1);
        });
    };
    let report = in_child("thread_exit::run_gives_up_one_that_swallows_its_exit", case).done();
    assert!(report.contains("'clinging' is leaked"), "{report}");
    assert!(report.contains("a thread ended with 1 unfinished greenlet:"), "{report}");
}

#[test]
fn without_run_what_is_left_is_leaked_and_reported() {
    let case = || {
        let ends = Arc::<AtomicU32>::default();
        let counted = ends.clone();
        in_thread(move || {
            for _ in 0..3 {
                std::mem::forget(suspended(&counted));
            }
        });
        assert_eq!(ends.load(Ordering::Relaxed), 0, "never unwound");
        // Another thread does not get their stacks.
        in_thread(|| {
            let many: Vec<_> = (0..200).map(|_| suspended(&Arc::default())).collect();
            drop(many);
        });
    };
    let name = "thread_exit::without_run_what_is_left_is_leaked_and_reported";
    let report = in_child(name, case).done();
    assert!(report.contains("a thread ended with 3 unfinished greenlets"), "{report}");
    assert_eq!(report.matches("a thread ended").count(), 1, "{report}");
}

#[test]
fn without_run_a_tidy_thread_is_silent() {
    let case = || {
        in_thread(|| {
            drop(suspended(&Arc::default()));
            let dead = Greenlet::new(|()| ());
            dead.switch::<(), ()>(());
            std::mem::forget(dead);
        });
    };
    let report = in_child("thread_exit::without_run_a_tidy_thread_is_silent", case).done();
    assert!(!report.contains("greenlet:"), "{report}");
}

thread_local! {
    static HOLDER: RefCell<Vec<Greenlet>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn dropped_from_a_thread_local_older_than_the_first_greenlet_it_is_leaked() {
    let case = || {
        let ends = Arc::<AtomicU32>::default();
        let counted = ends.clone();
        in_thread(move || {
            HOLDER.with(|holder| holder.borrow_mut().reserve(1)); // destroyed last
            let g = suspended(&counted);
            HOLDER.with(|holder| holder.borrow_mut().push(g));
        });
        assert_eq!(ends.load(Ordering::Relaxed), 0);
    };
    let name =
        "thread_exit::dropped_from_a_thread_local_older_than_the_first_greenlet_it_is_leaked";
    let report = in_child(name, case).done();
    assert!(report.contains("are being destroyed"), "{report}");
}

#[test]
fn dropped_from_a_thread_local_younger_than_the_first_greenlet_nothing_breaks() {
    let case = || {
        in_thread(|| {
            let g = suspended(&Arc::default());
            HOLDER.with(|holder| holder.borrow_mut().push(g));
        });
    };
    let name =
        "thread_exit::dropped_from_a_thread_local_younger_than_the_first_greenlet_nothing_breaks";
    in_child(name, case).done();
}

/// Leaves a greenlet in [`HOLDER`] that borrows a younger thread-local, which is destroyed first. The drop of
/// `HOLDER` must not resume it.
fn leave_one_that_borrows() {
    struct Watched(Cell<bool>);
    impl Drop for Watched {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    thread_local!(static BORROWED: Watched = const { Watched(Cell::new(false)) });
    drop(Greenlet::new(|()| ())); // so that both are younger than the first greenlet
    HOLDER.with(|holder| holder.borrow_mut().reserve(1));
    let g = Greenlet::new(|()| {
        BORROWED.with(|borrowed| {
            let _reads = OnDrop(|| {
                assert!(!borrowed.0.get(), "read after it was destroyed");
            });
            suspend::<(), ()>(());
        });
    });
    g.switch::<(), ()>(());
    HOLDER.with(|holder| holder.borrow_mut().push(g));
}

#[test]
fn no_frame_is_unwound_after_a_thread_local_that_it_borrows_was_destroyed() {
    let case = || in_thread(leave_one_that_borrows);
    let name =
        "thread_exit::no_frame_is_unwound_after_a_thread_local_that_it_borrows_was_destroyed";
    in_child(name, case).done();
}

/// There the thread that forked has the number of the first thread, but ends as the thread that it was.
#[test]
#[expect(unsafe_code, reason = "forks")]
fn no_frame_is_unwound_too_late_in_the_child_of_a_fork_by_another_thread() {
    let case = || {
        in_thread(|| {
            // SAFETY: the process has one other thread, which waits for this one.
            let child = unsafe { libc::fork() };
            if child == 0 {
                return leave_one_that_borrows(); // the end of the thread, and of the process
            }
            let mut status = 0;
            // SAFETY: our own child.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
        });
    };
    let name = "thread_exit::no_frame_is_unwound_too_late_in_the_child_of_a_fork_by_another_thread";
    in_child(name, case).done();
}

#[test]
fn greenlets_can_be_used_in_the_destructor_of_a_thread_local() {
    struct Uses(Arc<AtomicU32>);
    impl Drop for Uses {
        fn drop(&mut self) {
            let answer: u32 = Greenlet::new(|x: u32| x + 1).switch(1_u32);
            let g = Greenlet::new(|()| suspend::<u32, ()>(40));
            let more: u32 = g.switch(());
            assert!(g.kill().is::<GreenletExit>());
            self.0.store(answer + more, Ordering::Relaxed);
        }
    }
    thread_local!(static USES: RefCell<Option<Uses>> = const { RefCell::new(None) });
    let case = || {
        for first in [false, true] {
            let seen = Arc::<AtomicU32>::default();
            let kept = seen.clone();
            in_thread(move || {
                if first {
                    drop(greenlet::current());
                }
                USES.with(|uses| *uses.borrow_mut() = Some(Uses(kept)));
            });
            assert_eq!(seen.load(Ordering::Relaxed), 42);
        }
    };
    let name = "thread_exit::greenlets_can_be_used_in_the_destructor_of_a_thread_local";
    in_child(name, case).done();
}

#[test]
fn many_threads_leave_nothing_behind_with_run() {
    const THREADS: u32 = 200;
    let ends = Arc::<AtomicU32>::default();
    for _ in 0..THREADS {
        let counted = ends.clone();
        in_thread(move || {
            greenlet::run(|| {
                for _ in 0..100 {
                    std::mem::forget(suspended(&counted));
                }
            });
        });
    }
    assert_eq!(ends.load(Ordering::Relaxed), THREADS * 100);
}

/// A destructor has a handle of one that borrows what is gone: nothing resumes that one any more.
#[test]
fn nothing_resumes_a_frame_after_a_thread_local_that_it_borrows_was_destroyed() {
    struct Watched(Cell<bool>);
    impl Drop for Watched {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    struct Tries(RefCell<Vec<Greenlet>>);
    impl Drop for Tries {
        fn drop(&mut self) {
            for g in self.0.take() {
                let why = Why::ThreadEnds;
                let refused = g.try_throw::<()>(1_i32);
                assert!(matches!(refused, Err(SwitchError::Refused { why: w, .. }) if w == why));
                let refused = g.try_switch::<(), ()>(());
                assert!(matches!(refused, Err(SwitchError::Refused { why: w, .. }) if w == why));
                // The end of a new one does not go to an old one, but to whoever runs.
                let child = Greenlet::builder().parent(&g).create(|()| 7_u8).unwrap();
                assert_eq!(child.switch::<(), u8>(()), 7);
                let child = Greenlet::builder().parent(&g);
                let child = child.create(|()| try_suspend::<(), ()>(()).is_err()).unwrap();
                assert!(child.switch::<(), bool>(()), "it cannot go there before, either");
            }
            // Whoever begins now goes on, and is unwound.
            let new = suspended(&Arc::default());
            new.switch::<(), ()>(());
            drop(suspended(&Arc::default()));
        }
    }
    thread_local! {
        static TRIES: Tries = const { Tries(RefCell::new(Vec::new())) };
        static BORROWED: Watched = const { Watched(Cell::new(false)) };
    }
    let case = || {
        for first in [false, true] {
            in_thread(move || {
                if first {
                    drop(greenlet::current()); // older than the destructor that tries
                }
                TRIES.with(|tries| tries.0.borrow_mut().reserve(1));
                let g = Greenlet::new(|()| {
                    BORROWED.with(|borrowed| {
                        suspend::<(), ()>(());
                        assert!(!borrowed.0.get(), "read after it was destroyed");
                    });
                });
                g.switch::<(), ()>(());
                TRIES.with(|tries| tries.0.borrow_mut().push(g));
            });
        }
    };
    let name =
        "thread_exit::nothing_resumes_a_frame_after_a_thread_local_that_it_borrows_was_destroyed";
    let report = in_child(name, case).done();
    assert!(!report.contains("panicked"), "{report}");
}

/// Calls what it holds when the thread's locals are destroyed.
struct Late(RefCell<Option<Box<dyn FnOnce()>>>);

impl Drop for Late {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(|f| f());
    }
}

thread_local!(static LATE: Late = const { Late(RefCell::new(None)) });

/// Makes a thread whose `LATE` is older than its first greenlet, and one whose is younger.
fn late_in_both(make: fn() -> Box<dyn FnOnce()>) {
    for first in [false, true] {
        in_thread(move || {
            if first {
                drop(greenlet::current());
            }
            LATE.with(|late| late.0.replace(Some(Box::new(|| ()))));
            let f = make();
            LATE.with(|late| late.0.replace(Some(f)));
        });
    }
}

/// It borrows nothing, and is let run on because nobody has seen the end before; it is who sees it.
#[test]
fn who_sees_the_end_first_ends_in_order() {
    let case = || {
        in_thread(|| {
            drop(greenlet::current());
            let g = Greenlet::new(|()| {
                suspend::<i32, ()>(1);
                drop(Greenlet::new(|()| ()));
                2_i32
            });
            assert_eq!(g.switch::<(), i32>(()), 1);
            let late = move || assert_eq!(g.switch::<(), i32>(()), 2);
            LATE.with(|late_one| late_one.0.replace(Some(Box::new(late))));
        });
    };
    in_child("thread_exit::who_sees_the_end_first_ends_in_order", case).done();
}

#[test]
fn what_was_made_before_the_end_and_begins_after_it_goes_on() {
    let case = || {
        late_in_both(|| {
            let mut items = greenlet::generator(|out| (0..4).for_each(|n| out.give(n)));
            Box::new(move || {
                assert_eq!(items.next(), Some(0));
                drop(Greenlet::new(|()| ()));
                drop(suspended(&Arc::default()));
                items.next();
            })
        });
        late_in_both(|| {
            let items = greenlet::generator(|out| (0..4).for_each(|n| out.give(n)));
            Box::new(move || assert_eq!(items.collect::<Vec<_>>(), [0, 1, 2, 3]))
        });
    };
    in_child("thread_exit::what_was_made_before_the_end_and_begins_after_it_goes_on", case).done();
}
