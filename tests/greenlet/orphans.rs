//! Who may be killed for want of a handle, and who may not: handles found by other ways than the
//! creator's count too, and nobody pays for another.

use crate::raised::raised;
use crate::trace::{Defer, OnDrop, Trace};
use greenlet::{Greenlet, State, all, current, root, set_trace, suspend, try_suspend};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Runs a greenlet that drops its own last handle and then finds itself again by `find`, which is
/// given a child of it. The handle that it found is handed to the root, and must keep it.
///
/// Its last handle reaches it as the result of that child, so that nobody else has one.
fn keeps_one_who_found_itself(find: impl FnOnce(&Greenlet) -> Greenlet + 'static) {
    let g = Greenlet::new(|()| {
        let child = Greenlet::new(|handle: Greenlet| handle);
        let myself: Greenlet = suspend(child.clone());
        drop(myself);
        let found = find(&child);
        assert_eq!(found.state(), State::Running);
        // Not by `suspend`, which looks for its parent by way of a handle of itself.
        root().switch::<Greenlet, ()>(found);
        "lived on"
    });
    let child: Greenlet = g.switch(());
    let found: Greenlet = child.switch(g);
    assert_eq!(found.state(), State::Suspended);
    assert_eq!(found.switch::<(), &str>(()), "lived on");
}

fn running(among: Vec<Greenlet>) -> Greenlet {
    among.into_iter().find(|g| g.state() == State::Running).unwrap()
}

#[test]
fn one_who_lost_its_last_handle_is_kept_by_current() {
    keeps_one_who_found_itself(|_| current());
}

#[test]
fn one_who_lost_its_last_handle_is_kept_by_its_childs_parent() {
    keeps_one_who_found_itself(|child| child.parent().unwrap());
}

#[test]
fn one_who_lost_its_last_handle_is_kept_by_the_list_of_all() {
    keeps_one_who_found_itself(|_| running(all()));
}

#[test]
fn one_who_lost_its_last_handle_is_kept_by_the_list_of_children() {
    keeps_one_who_found_itself(|_| running(root().children()));
}

#[test]
fn one_who_lost_its_last_handle_is_killed_when_it_leaves() {
    let trace = Trace::default();
    let g = Greenlet::new({
        let trace = trace.clone();
        move |()| {
            let _finally = OnDrop(trace.clone(), "unwound");
            let child = Greenlet::new(|handle: Greenlet| handle);
            let myself: Greenlet = suspend(child.clone());
            drop(myself);
            trace.say("leaves");
            suspend::<&str, ()>("value");
        }
    });
    let child: Greenlet = g.switch(());
    let weak = g.downgrade();
    trace.say(child.switch::<Greenlet, &str>(g));
    assert!(weak.upgrade().is_none());
    trace.is(&["leaves", "unwound", "value"]);
}

/// It is killing when it loses its last handle, which is as good as running.
#[test]
fn one_who_loses_its_last_handle_in_its_own_kill_finishes_that_first() {
    let trace = Trace::default();
    let slot = Rc::new(RefCell::new(None::<Greenlet>));
    let g = Greenlet::new({
        let (trace, slot) = (trace.clone(), slot.clone());
        move |()| {
            let _finally = OnDrop(trace.clone(), "killer unwound");
            let victim = Greenlet::new({
                let trace = trace.clone();
                move |()| {
                    let _finally = Defer(|| {
                        drop(slot.take());
                        trace.say("victim unwound");
                    });
                    suspend::<(), ()>(());
                }
            });
            let () = victim.switch(());
            let child = Greenlet::new(|()| ());
            suspend::<Greenlet, ()>(child);
            drop(victim);
            trace.say("goes on");
            suspend::<&str, ()>("value");
        }
    });
    let child: Greenlet = g.switch(());
    *slot.borrow_mut() = Some(g);
    trace.say(child.switch::<(), &str>(()));
    trace.is(&["victim unwound", "goes on", "killer unwound", "value"]);
    assert_eq!(all(), [root()]);
}

/// The victim took and dropped a handle of itself before it was given up; its killer has handles.
#[test]
fn a_leaked_victims_lost_handle_is_not_held_against_its_killer() {
    let killer = Greenlet::new(|()| {
        let victim = Greenlet::new(|()| {
            drop(raised(|| suspend::<(), ()>(())));
            loop {
                drop(current());
                // Swallows its exit, and every refusal, until it is given up.
                drop(try_suspend::<(), ()>(()));
            }
        });
        let () = victim.switch(());
        drop(victim);
        root().switch::<&str, ()>("killed");
        "lived on"
    });
    assert_eq!(killer.switch::<(), &str>(()), "killed");
    assert_eq!(killer.state(), State::Suspended);
    assert_eq!(killer.switch::<(), &str>(()), "lived on");
}

#[test]
fn one_suspended_in_its_tracer_dies_with_its_last_handle() {
    let trace = Trace::default();
    let left = Rc::new(Cell::new(false));
    set_trace(Some(Rc::new({
        let left = left.clone();
        move |_| {
            if !left.replace(true) {
                suspend::<(), ()>(());
            }
        }
    })));
    let token = OnDrop(trace.clone(), "body dropped");
    let g = Greenlet::new(move |()| drop(token));
    let () = g.switch(());
    set_trace(None);
    assert_eq!(g.state(), State::Suspended);
    let weak = g.downgrade();
    drop(g);
    assert!(weak.upgrade().is_none(), "a handle of itself lies on its own stack");
    trace.is(&["body dropped"]);
}

#[test]
fn one_who_dies_in_a_tracer_is_forgotten_with_its_last_handle() {
    let dead = Rc::new(RefCell::new(Vec::new()));
    set_trace(Some(Rc::new({
        let dead = dead.clone();
        move |_| {
            let g = Greenlet::builder().parent(&current()).create(|()| ()).unwrap();
            dead.borrow_mut().push(g.downgrade());
            let () = g.switch(());
        }
    })));
    let () = Greenlet::new(|()| ()).switch(());
    set_trace(None);
    assert_eq!(dead.borrow().len(), 2);
    assert!(dead.borrow().iter().all(|weak| weak.upgrade().is_none()), "a handle was lost");
}

/// The result that nobody takes suspends in its drop; there its greenlet loses its last handle.
#[test]
fn one_suspended_in_the_drop_of_its_result_dies_with_its_last_handle() {
    let trace = Trace::default();
    let g = Greenlet::new({
        let trace = trace.clone();
        move |()| {
            Defer(move || {
                let _unwound = OnDrop(trace.clone(), "unwound");
                suspend::<&str, ()>("in the drop");
                trace.say("never");
            })
        }
    });
    trace.say(g.switch::<(), &str>(()));
    let weak = g.downgrade();
    drop(g);
    assert!(weak.upgrade().is_none());
    trace.is(&["in the drop", "unwound"]);
    assert_eq!(all(), [root()]);
}

#[test]
fn dropping_the_handle_that_is_switched_to_ends_the_other_not_us() {
    let trace = Trace::default();
    for round in 0..100 {
        let g = Greenlet::new({
            let trace = trace.clone();
            move |()| {
                let _finally = OnDrop(trace.clone(), "unwound");
                suspend::<i32, ()>(round);
            }
        });
        // A temporary handle, dropped at the end of the statement.
        let got: i32 = { g }.switch(());
        assert_eq!((got, trace.len()), (round, round as usize + 1));
    }
    assert_eq!(all(), [root()]);
}
