//! Destructors that panic, refuse to end, or switch while a greenlet is being ended.

use crate::in_child::{Case, Outcome, cases_in_children, in_child, tell, this_test};
use greenlet::{Greenlet, GreenletExit, Why, suspend, try_suspend};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A suspended greenlet called `stubborn`, whose body has this on its stack, or does this.
fn suspended(body: impl FnOnce() + 'static) -> Greenlet {
    let g = Greenlet::builder().name("stubborn").create(|()| body()).unwrap();
    let () = g.switch(());
    g
}

/// The thread and its greenlets still do what they should.
fn all_is_well() {
    assert!(!std::thread::panicking());
    let g = Greenlet::new(|x: i32| suspend::<i32, i32>(x + 1) + 2);
    let (first, second): (i32, i32) = (g.switch(1), g.switch(10));
    assert_eq!((first, second), (2, 12));
    drop(suspended(|| suspend(())));
    tell("all is well", &[]);
}

fn assert_all_is_well(outcome: &Outcome) {
    outcome.exited_with(0);
    assert!(outcome.told("all is well"), "{outcome}");
}

/// Documented: std ends the process when a destructor panics during unwinding.
#[test]
fn drop_that_panics_while_a_kill_unwinds_aborts() {
    fn panics_while_unwinding() {
        let _guard = OnDrop(|| panic!("from a destructor"));
        suspend::<(), ()>(());
    }
    let cases: [Case<'_>; 3] = [
        ("by drop", |_| drop(suspended(panics_while_unwinding))),
        ("by kill", |_| _ = suspended(panics_while_unwinding).kill()),
        ("by run", |_| {
            greenlet::run(|| std::mem::forget(suspended(panics_while_unwinding)));
        }),
    ];
    cases_in_children(this_test!(), &cases, |_, outcome| {
        outcome
            .died_of(libc::SIGABRT)
            .says("from a destructor")
            .says("panic in a destructor during cleanup");
    });
}

/// The exit was caught, so nothing unwinds: a result's destructor that panics is only noted.
#[test]
fn result_of_a_killed_greenlet_whose_drop_panics_is_reported() {
    let outcome = in_child(this_test!(), || {
        let body = |(): ()| {
            let _exit = catch_unwind(|| suspend::<(), ()>(()));
            OnDrop(|| panic!("from a result"))
        };
        let g = Greenlet::new(body);
        let () = g.switch(());
        drop(g);
        all_is_well();
    });
    assert_all_is_well(&outcome);
    outcome.says("from a result").says("greenlet: ignored in cleanup: from a result");
}

/// Nobody takes the value of this death, so it is dropped on the way, with the same rule.
#[test]
fn unwanted_result_whose_drop_panics_is_reported() {
    let outcome = in_child(this_test!(), || {
        let g = Greenlet::new(|()| OnDrop(|| panic!("from an unwanted result")));
        let error = g.try_switch::<(), i32>(()).unwrap_err();
        assert!(error.to_string().contains("ended with a value of type"), "{error}");
        all_is_well();
    });
    assert_all_is_well(&outcome);
    outcome.says("greenlet: ignored in cleanup: from an unwanted result");
}

#[test]
fn panic_of_a_greenlet_killed_by_drop_is_reported_and_goes_no_further() {
    let outcome = in_child(this_test!(), || {
        let g = suspended(|| {
            let _exit = catch_unwind(|| suspend::<(), ()>(()));
            panic!("instead of the exit");
        });
        drop(g);
        let g = suspended(|| {
            let _exit = catch_unwind(|| suspend::<(), ()>(()));
            panic_any(OnDrop(|| panic!("from a payload")));
        });
        drop(g);
        all_is_well();
    });
    assert_all_is_well(&outcome);
    outcome
        .says("greenlet: ignored in cleanup: instead of the exit")
        .says("greenlet: ignored in cleanup: a payload without text");
}

/// The closure of one that never ran has a destructor, too; there is nobody to raise its panic in.
#[test]
fn closure_of_an_unstarted_greenlet_whose_drop_panics_is_reported() {
    let outcome = in_child(this_test!(), || {
        let owned = OnDrop(|| panic!("from a closure"));
        drop(Greenlet::new(|()| drop(owned)));
        all_is_well();
    });
    assert_all_is_well(&outcome);
    outcome.says("greenlet: ignored in cleanup: from a closure");
}

fn refuses_to_die() {
    let mut refused = 0;
    loop {
        match try_suspend::<(), ()>(()) {
            Err(error) if error.why() == Some(Why::Dying) => {
                refused += 1;
                tell(&format!("refused {refused}"), &[]);
            }
            other => drop(other),
        }
    }
}

#[test]
fn body_that_refuses_to_die_is_leaked_reported_and_the_process_goes_on() {
    let cases: [Case<'_>; 2] = [
        ("try_suspend in a loop", |_| drop(suspended(refuses_to_die))),
        ("suspend, caught in a loop", |_| {
            // Each of its suspensions panics, and prints that.
            let body = || loop {
                let _ = catch_unwind(|| suspend::<(), ()>(()));
            };
            drop(suspended(body));
        }),
    ];
    cases_in_children(this_test!(), &cases, |_, outcome| {
        outcome
            .exited_with(0)
            .says("'stubborn' is leaked with all that it owns: it swallows its exit");
        assert_eq!(outcome.stderr.matches("is leaked").count(), 1, "{outcome}");
    });
}

#[test]
fn greenlets_work_after_one_was_leaked() {
    let outcome = in_child(this_test!(), || {
        for _ in 0..3 {
            let g = suspended(refuses_to_die);
            let weak = g.downgrade();
            drop(g);
            assert!(weak.upgrade().is_none_or(|g| g.is_dead()));
            all_is_well();
        }
    });
    assert_all_is_well(&outcome);
    assert!(outcome.told("refused 7") && !outcome.told("refused 8"), "{outcome}");
    outcome.says_only(&["greenlet: greenlet # 'stubborn' is leaked with all that it owns: it swallows its exit and goes on switching"; 3]);
}

/// Leaving it would leave the thread's panic count raised for good.
#[test]
fn one_that_switches_for_ever_while_the_thread_unwinds_aborts_with_its_name() {
    let cases: [Case<'_>; 3] = [
        ("a drop of the killed one's own", |_| {
            let g = suspended(|| {
                let _guard = OnDrop(refuses_to_die);
                suspend::<(), ()>(());
            });
            drop(g);
        }),
        ("the body of one that is killed by the cleanup of another", |_| {
            let inner = suspended(refuses_to_die);
            let outer = Greenlet::new(move |()| {
                let _inner = inner;
                suspend::<(), ()>(());
            });
            let () = outer.switch(());
            drop(outer);
        }),
        ("the body of one that is killed by the cleanup of the root", |_| {
            let _g = suspended(refuses_to_die);
            std::panic::resume_unwind(Box::new(1));
        }),
    ];
    cases_in_children(this_test!(), &cases, |_, outcome| {
        let line = "greenlet: greenlet # 'stubborn' does not die: it goes on switching while the thread unwinds";
        outcome.died_of(libc::SIGABRT).says_only(&[line]);
        assert!(outcome.told("refused 7") && !outcome.told("refused 8"), "{outcome}");
    });
}

/// `switch` panics when it is refused, and a panic in a destructor during unwinding aborts: the
/// documented consequence. The text says which rule was broken.
#[test]
fn switch_in_a_drop_that_runs_while_unwinding_aborts_and_says_why() {
    fn other() -> Greenlet {
        Greenlet::builder().name("other").create(|()| suspend::<(), ()>(())).unwrap()
    }
    let cases: [Case<'_>; 5] = [
        ("this thread is unwinding from a panic", |_| {
            let other = other();
            let _guard = OnDrop(move || _ = other.switch_any(()));
            panic!("in the root");
        }),
        ("is unwinding from a panic", |_| {
            let g = Greenlet::new(|()| {
                let _guard = OnDrop(|| suspend::<(), ()>(()));
                panic!("in a greenlet");
            });
            g.switch_any(());
        }),
        ("unwinding from a panic", |_| {
            let g = suspended(|| {
                let other = other();
                let _guard = OnDrop(move || _ = other.throw_any(1));
                suspend::<(), ()>(());
            });
            g.kill();
        }),
        ("a greenlet of this thread is being killed by drop", |_| {
            let g = suspended(|| {
                let other = other();
                let _guard = OnDrop(move || _ = other.switch_any(()));
                suspend::<(), ()>(());
            });
            drop(g);
        }),
        ("greenlet of this thread is being killed by drop", |_| {
            let g = suspended(|| {
                let _guard = OnDrop(|| suspend::<(), ()>(()));
                suspend::<(), ()>(());
            });
            drop(g);
        }),
    ];
    cases_in_children(this_test!(), &cases, |why, outcome| {
        outcome
            .died_of(libc::SIGABRT)
            .says("cannot ")
            .says(why)
            .says("panic in a destructor during cleanup");
    });
}

/// The forgiving form is refused with the value, and the destructor may go on.
#[test]
fn try_switch_in_a_drop_that_runs_while_unwinding_is_refused() {
    let outcome = in_child(this_test!(), || {
        let g = suspended(|| {
            let other = Greenlet::new(|_: String| ());
            let _guard = OnDrop(move || {
                let sent = other.try_switch_any("mine".to_owned());
                let Err(greenlet::SwitchError::Refused { why, value }) = sent else { return };
                assert_eq!((why, value.as_str()), (Why::Dying, "mine"));
                tell("refused", &[]);
            });
            suspend::<(), ()>(());
        });
        drop(g);
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let other = Greenlet::new(|()| ());
            let _guard = OnDrop(move || {
                assert_eq!(other.try_switch_any(()).unwrap_err().why(), Some(Why::Unwinding));
                tell("and again", &[]);
            });
            std::panic::resume_unwind(Box::new(GreenletExit));
        }));
        assert!(unwound.unwrap_err().is::<GreenletExit>());
        all_is_well();
    });
    assert_all_is_well(&outcome);
    outcome.says_only(&[]);
    assert!(outcome.told("refused") && outcome.told("and again"), "{outcome}");
}
