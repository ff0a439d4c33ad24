//! A greenlet that loses its last handle while it runs.

use crate::log::Log;
use greenlet::{Greenlet, current, suspend};
use std::cell::RefCell;
use std::rc::Rc;

type Slot = Rc<RefCell<Option<Greenlet>>>;

/// Starts the greenlet in the slot by way of a dead child, so that nobody else holds it.
fn start<B: 'static>(slot: &Slot, g: Greenlet) -> B {
    let alias = Greenlet::new(|()| ());
    alias.switch::<(), ()>(());
    alias.set_parent(&g).unwrap();
    *slot.borrow_mut() = Some(g);
    alias.switch(())
}

#[test]
fn it_runs_on_and_dies_when_it_switches_away() {
    let (slot, log) = (Slot::default(), Log::default());
    let g = Greenlet::new({
        let (slot, log) = (slot.clone(), log.clone());
        move |()| {
            let _end = log.at_end("unwound");
            drop(slot.take());
            log.say("runs on");
            suspend::<u8, ()>(1);
            log.say("never");
        }
    });
    assert_eq!(start::<u8>(&slot, g), 1);
    assert_eq!(log.lines(), ["runs on", "unwound"]);
    assert_eq!(greenlet::all().len(), 1);
}

#[test]
fn it_may_end_by_itself() {
    let slot = Slot::default();
    let g = Greenlet::new({
        let slot = slot.clone();
        move |()| {
            drop(slot.take());
            8_u8
        }
    });
    assert_eq!(start::<u8>(&slot, g), 8);
    assert_eq!(greenlet::all().len(), 1);
}

#[test]
fn it_lives_if_it_takes_a_new_handle_before_it_switches() {
    let slot = Slot::default();
    let g = Greenlet::new({
        let slot = slot.clone();
        move |()| {
            drop(slot.take());
            *slot.borrow_mut() = Some(current());
            suspend::<u8, ()>(1);
            2_u8
        }
    });
    assert_eq!(start::<u8>(&slot, g), 1);
    let g = slot.take().unwrap();
    assert_eq!(g.switch::<(), u8>(()), 2);
}

#[test]
fn a_handle_taken_for_a_moment_does_not_save_it() {
    let (slot, log) = (Slot::default(), Log::default());
    let g = Greenlet::new({
        let (slot, log) = (slot.clone(), log.clone());
        move |()| {
            let _end = log.at_end("unwound");
            drop(slot.take());
            drop(current());
            greenlet::root().switch::<u8, ()>(1);
        }
    });
    assert_eq!(start::<u8>(&slot, g), 1);
    assert_eq!(log.lines(), ["unwound"]);
}

#[test]
fn it_may_drop_others_that_own_it() {
    // A helper owns the greenlet and waits in the switch to it; the greenlet kills the helper.
    let (slot, log) = (Slot::default(), Log::default());
    let g = Greenlet::new({
        let (slot, log) = (slot.clone(), log.clone());
        move |()| {
            let _end = log.at_end("g unwound");
            drop(slot.take());
            log.say("g runs on");
            greenlet::root().switch::<u8, ()>(3);
        }
    });
    let helper = Greenlet::new({
        let log = log.clone();
        move |()| {
            let _end = log.at_end("helper unwound");
            g.switch_any(());
        }
    });
    assert_eq!(start::<u8>(&slot, helper), 3);
    assert_eq!(log.lines(), ["helper unwound", "g runs on", "g unwound"]);
}

#[test]
fn its_parent_is_not_told() {
    let (slot, log) = (Slot::default(), Log::default());
    let parent = Greenlet::new({
        let log = log.clone();
        move |()| {
            let what = greenlet::suspend_any(());
            log.say(format!("parent: {what}"));
        }
    });
    parent.switch::<(), ()>(());
    let g = Greenlet::builder().parent(&parent).create({
        let slot = slot.clone();
        move |()| {
            drop(slot.take());
            greenlet::root().switch::<u8, ()>(1);
        }
    });
    assert_eq!(start::<u8>(&slot, g.unwrap()), 1);
    assert_eq!(log.lines(), [""; 0]);
    assert!(!parent.is_dead());
}
