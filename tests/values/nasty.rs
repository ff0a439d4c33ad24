//! Bodies that do not want to die, in a child process: what happens is read from standard error.

use crate::child::in_child;
use crate::payload::{Carried, OnDrop, Payload, alive, roomy};
use greenlet::{Greenlet, SwitchError, Why, current, suspend, try_suspend};
use std::cell::Cell;
use std::rc::Rc;

fn refuses_for_ever<T: Carried>(tries: &Cell<u32>) {
    loop {
        match try_suspend::<T, ()>(T::make(5)) {
            Err(SwitchError::Refused { why: Why::Dying, value }) => {
                assert_eq!(value.tag(), 5);
                tries.set(tries.get() + 1);
            }
            Err(SwitchError::Thrown(_)) => {} // swallowed
            _ => unreachable!(),
        }
    }
}

fn swallower_of<T: Carried>() {
    let tries = Rc::new(Cell::new(0));
    let g = Greenlet::builder().name("stubborn").stack_size(512 << 10).create({
        let tries = tries.clone();
        move |()| {
            let _held = T::make(1);
            refuses_for_ever::<T>(&tries);
        }
    });
    let g = g.unwrap();
    let weak = g.downgrade();
    let _: T = g.switch(());
    let before = alive();
    drop(g);
    assert_eq!(tries.get(), 7, "the eighth does not come back");
    assert!(weak.upgrade().is_none());
    // Leaked with all that it owns: what it held, and the value that it wanted to send.
    assert_eq!(alive(), before + 1);
    assert_eq!(greenlet::all().len(), 1);
    assert_eq!(roomy(|x: T| x).switch::<T, T>(T::make(7)).tag(), 7, "the thread goes on");
}

#[test]
fn a_body_that_swallows_its_exit_is_leaked_at_the_eighth_refusal() {
    let case = || {
        swallower_of::<Payload<1>>();
        swallower_of::<Payload<24>>();
        swallower_of::<Payload<4096>>();
    };
    let outcome =
        in_child("nasty::a_body_that_swallows_its_exit_is_leaked_at_the_eighth_refusal", case);
    let report = outcome.done();
    let lines = report.lines().filter(|line| line.contains("'stubborn' is leaked")).count();
    assert_eq!(lines, 3, "{report}");
}

#[test]
fn a_body_that_catches_every_panic_is_leaked_and_its_killer_lives() {
    let case = || {
        let g = Greenlet::new(|()| {
            loop {
                // Refusals panic, and those are caught too.
                let _ = std::panic::catch_unwind(|| suspend::<(), ()>(()));
            }
        });
        g.switch::<(), ()>(());
        drop(g);
        // The killer is no orphan because its victim was one.
        let other = Greenlet::new(|x: u8| suspend::<u8, u8>(x + 1) + 1);
        assert_eq!(other.switch::<u8, u8>(1), 2);
        assert_eq!(other.switch::<u8, u8>(2), 3);
        assert_eq!(greenlet::all().len(), 1);
    };
    let outcome =
        in_child("nasty::a_body_that_catches_every_panic_is_leaked_and_its_killer_lives", case);
    let report = outcome.done();
    assert!(report.contains("is leaked with all that it owns"), "{report}");
}

#[test]
fn a_leaked_body_that_held_itself_for_a_moment_does_not_orphan_its_killer() {
    let case = || {
        let g = Greenlet::new(|()| {
            loop {
                let _ = try_suspend::<(), ()>(());
                drop(current());
            }
        });
        g.switch::<(), ()>(());
        let killer = Greenlet::new(move |()| {
            drop(g);
            greenlet::root().switch::<u8, ()>(1);
            2_u8
        });
        assert_eq!(killer.switch::<(), u8>(()), 1);
        assert!(!killer.is_dead(), "held, and yet killed");
        assert_eq!(killer.switch::<(), u8>(()), 2);
    };
    let outcome = in_child(
        "nasty::a_leaked_body_that_held_itself_for_a_moment_does_not_orphan_its_killer",
        case,
    );
    outcome.done();
}

#[test]
fn a_drop_that_switches_for_ever_while_unwinding_ends_the_process_by_name() {
    let case = || {
        let g = Greenlet::builder().name("unwilling").create(|()| {
            let _endless = OnDrop(|| {
                loop {
                    let _ = try_suspend::<(), ()>(());
                }
            });
            suspend::<(), ()>(());
        });
        let g = g.unwrap();
        g.switch::<(), ()>(());
        drop(g);
    };
    let outcome = in_child(
        "nasty::a_drop_that_switches_for_ever_while_unwinding_ends_the_process_by_name",
        case,
    );
    let report = outcome.aborted();
    assert!(report.contains("'unwilling' does not die"), "{report}");
}

#[test]
fn a_switch_in_a_drop_while_unwinding_ends_the_process() {
    let case = || {
        let other = Greenlet::new(|()| ());
        let _switches = OnDrop(move || other.switch::<(), ()>(()));
        panic!("the first");
    };
    let outcome = in_child("nasty::a_switch_in_a_drop_while_unwinding_ends_the_process", case);
    let report = outcome.aborted();
    assert!(report.contains("this thread is unwinding from a panic"), "{report}");
}

#[test]
fn a_few_refusals_in_cleanup_do_no_harm() {
    let g = Greenlet::new(|()| {
        let _tries = OnDrop(|| {
            for _ in 0..7 {
                let refused = try_suspend::<(), ()>(());
                assert_eq!(refused.unwrap_err().why(), Some(Why::Dying));
            }
        });
        suspend::<(), ()>(());
    });
    g.switch::<(), ()>(());
    let weak = g.downgrade();
    drop(g);
    assert!(weak.upgrade().is_none());
}
