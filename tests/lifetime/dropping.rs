//! The last handle goes: rules 119 to 126, 129, 131, 132.

use crate::child::in_child;
use crate::log::{Log, OnDrop};
use greenlet::{Greenlet, GreenletExit, SwitchError, current, suspend, try_suspend};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A suspended greenlet that says when it is unwound.
fn suspended(log: &Log) -> Greenlet {
    let log = log.clone();
    let g = Greenlet::new(move |()| {
        let _end = log.at_end("unwound");
        suspend::<(), ()>(());
        log.say("never");
    });
    g.switch::<(), ()>(());
    g
}

#[test]
fn drop_of_the_last_handle_unwinds_before_it_returns() {
    let log = Log::default();
    let g = suspended(&log);
    let clone = g.clone();
    drop(g);
    log.say("one handle is left");
    drop(clone);
    log.say("after the drop");
    assert_eq!(log.lines(), ["one handle is left", "unwound", "after the drop"]);
}

#[test]
fn the_exit_that_a_drop_raises_can_be_seen() {
    let log = Log::default();
    let g = Greenlet::new({
        let log = log.clone();
        move |()| {
            let caught = catch_unwind(|| suspend::<(), ()>(()));
            log.say(format!("{}", caught.unwrap_err().is::<GreenletExit>()));
            let caught = try_suspend::<(), ()>(());
            log.say(format!("{:?}", caught.unwrap_err().why()));
        }
    });
    g.switch::<(), ()>(());
    drop(g);
    assert_eq!(log.lines(), ["true", "Some(Dying)"]);
}

#[test]
fn drop_of_an_unstarted_one_runs_nothing() {
    let log = Log::default();
    let captured = log.at_end("closure dropped");
    let g = Greenlet::new({
        let log = log.clone();
        move |()| {
            log.say("never");
            drop(captured);
        }
    });
    drop(g);
    assert_eq!(log.lines(), ["closure dropped"]);
    drop(Greenlet::unbound());
    assert_eq!(greenlet::all().len(), 1);
}

#[test]
fn drop_of_a_dead_one_frees_it() {
    let g = Greenlet::new(|()| ());
    g.switch::<(), ()>(());
    let weak = g.downgrade();
    assert!(weak.upgrade().is_some());
    drop(g);
    assert!(weak.upgrade().is_none());
}

#[test]
fn control_returns_to_the_dropper_not_to_the_parent() {
    let log = Log::default();
    let parent = Greenlet::new({
        let log = log.clone();
        move |_: GreenletExit| log.say("the parent was started")
    });
    let g = suspended(&log);
    g.set_parent(&parent).unwrap();
    drop(g);
    log.say("dropper");
    assert_eq!(log.lines(), ["unwound", "dropper"]);
    assert!(!parent.is_dead() && !parent.is_active());
}

#[test]
fn control_returns_to_a_dropper_that_is_a_sibling() {
    let log = Log::default();
    let a = suspended(&log);
    let b = Greenlet::new({
        let log = log.clone();
        move |()| {
            let me = current();
            drop(a);
            assert_eq!(current(), me);
            log.say("b goes on");
            7_u8
        }
    });
    assert_eq!(b.switch::<(), u8>(()), 7);
    assert_eq!(log.lines(), ["unwound", "b goes on"]);
}

#[test]
fn a_child_may_drop_the_last_handle_of_its_suspended_parent() {
    let log = Log::default();
    let outer = Greenlet::new({
        let log = log.clone();
        move |()| {
            let _end = log.at_end("parent unwound");
            let child = Greenlet::new({
                let log = log.clone();
                move |g: Greenlet| {
                    drop(g);
                    log.say("child goes on");
                    9_u8 // for the next ancestor
                }
            });
            suspend::<Greenlet, ()>(child);
        }
    });
    let child: Greenlet = outer.switch(());
    assert_eq!(child.switch::<Greenlet, u8>(outer), 9);
    assert_eq!(log.lines(), ["parent unwound", "child goes on"]);
}

#[test]
fn the_result_of_a_victim_is_dropped() {
    let log = Log::default();
    let g = Greenlet::new({
        let log = log.clone();
        move |()| {
            let _ = catch_unwind(|| suspend::<(), ()>(()));
            log.at_end("result dropped")
        }
    });
    g.switch::<(), ()>(());
    drop(g);
    assert_eq!(log.lines(), ["result dropped"]);
}

#[test]
fn another_panic_of_a_victim_is_reported_and_not_raised_in_the_dropper() {
    let case = || {
        let g = Greenlet::new(|()| {
            let _ = catch_unwind(|| suspend::<(), ()>(()));
            resume_unwind(Box::new("not the exit"));
        });
        g.switch::<(), ()>(());
        let caught = catch_unwind(AssertUnwindSafe(|| drop(g)));
        assert!(caught.is_ok());
    };
    let name = "dropping::another_panic_of_a_victim_is_reported_and_not_raised_in_the_dropper";
    let report = in_child(name, case).done();
    assert!(report.contains("greenlet: ignored in cleanup: not the exit"), "{report}");
}

#[test]
fn a_victim_is_not_resurrected() {
    let slot = std::rc::Rc::new(std::cell::RefCell::new(None));
    let g = Greenlet::new({
        let slot = slot.clone();
        move |()| {
            let _ = catch_unwind(|| suspend::<(), ()>(()));
            *slot.borrow_mut() = Some(current()); // Python would let it live
            let refused = try_suspend::<(), ()>(());
            assert!(refused.is_err());
        }
    });
    let parent = g.parent();
    g.switch::<(), ()>(());
    drop(g);
    let stored = slot.take().unwrap();
    assert!(stored.is_dead());
    assert_eq!(stored.parent(), parent, "its parent is what it was");
    assert_eq!(stored.switch::<u8, u8>(3), 3, "an alias of its parent");
}

#[test]
fn a_value_sent_while_the_last_handle_goes_is_not_lost() {
    let outer = Greenlet::new(|()| {
        let inner = Greenlet::new(|()| suspend::<u8, ()>(42));
        let answer: u8 = inner.switch(());
        drop(inner);
        answer
    });
    assert_eq!(outer.switch::<(), u8>(()), 42);
}

#[test]
fn a_panic_on_its_way_survives_kills_in_cleanup() {
    let log = Log::default();
    let (a, b) = (suspended(&log), suspended(&log));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _dropped_while_unwinding = (a, b);
        resume_unwind(Box::new("the panic"));
    }));
    assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "the panic");
    assert_eq!(log.lines(), ["unwound", "unwound"]);
    assert!(!std::thread::panicking());
}

#[test]
fn a_victim_killed_while_unwinding_may_panic_inside_and_catch_it() {
    let log = Log::default();
    let g = Greenlet::new({
        let log = log.clone();
        move |()| {
            let _in_cleanup = OnDrop(|| {
                let inner = catch_unwind(|| resume_unwind(Box::new(1_u8)));
                assert!(inner.is_err() && std::thread::panicking());
            });
            let _end = log.at_end("unwound");
            suspend::<(), ()>(());
        }
    });
    g.switch::<(), ()>(());
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _g = g;
        resume_unwind(Box::new(2_u8));
    }));
    assert_eq!(*caught.unwrap_err().downcast::<u8>().unwrap(), 2);
    assert!(!std::thread::panicking());
    assert_eq!(log.lines(), ["unwound"]);
}

#[test]
fn a_cycle_on_stacks_lives_until_one_of_them_is_killed() {
    let log = Log::default();
    let (a, b) = (Greenlet::unbound(), Greenlet::unbound());
    for (g, other) in [(&a, &b), (&b, &a)] {
        let (other, log) = (other.clone(), log.clone());
        g.bind(move |()| {
            let _end = log.at_end("unwound");
            suspend::<(), ()>(());
            drop(other);
        });
        g.switch::<(), ()>(());
    }
    let weak = a.downgrade();
    drop((a, b));
    assert_eq!(log.lines(), [""; 0], "each is held by the other's stack");
    weak.upgrade().unwrap().kill();
    assert_eq!(log.lines(), ["unwound", "unwound"]);
    assert!(weak.upgrade().is_none());
}

#[test]
fn parent_links_keep_nobody_alive() {
    // Python leaks this one: a suspended parent that owns its child on its stack.
    let log = Log::default();
    let outer = Greenlet::new({
        let log = log.clone();
        move |()| {
            let child = suspended(&log);
            assert_eq!(child.parent(), Some(current()));
            suspend::<(), ()>(());
            drop(child);
        }
    });
    outer.switch::<(), ()>(());
    drop(outer);
    assert_eq!(log.lines(), ["unwound"]);
    assert_eq!(greenlet::all().len(), 1);
}

#[test]
fn one_that_outlives_its_parent_reports_to_the_next() {
    let parent = Greenlet::new(|()| suspend::<(), ()>(()));
    parent.switch::<(), ()>(());
    let child = Greenlet::builder().parent(&parent).create(|()| 5_u8).unwrap();
    drop(parent);
    assert!(child.parent().unwrap().is_dead());
    assert_eq!(child.switch::<(), u8>(()), 5);
}

#[test]
fn a_switch_during_the_kill_is_refused_to_everybody() {
    let other = Greenlet::new(|x: u8| x);
    let g = Greenlet::new({
        let other = other.clone();
        move |()| {
            let _cleanup = OnDrop(|| {
                let answer = other.try_switch::<u8, u8>(1);
                assert!(matches!(answer, Err(SwitchError::Refused { value: 1, .. })));
                assert!(other.try_throw::<()>(2_u8).is_err());
                let new = Greenlet::new(|()| ());
                assert!(new.try_switch::<(), ()>(()).is_err(), "nor is a new one started");
            });
            suspend::<(), ()>(());
        }
    });
    g.switch::<(), ()>(());
    drop(g);
    assert_eq!(other.switch::<u8, u8>(3), 3);
}
