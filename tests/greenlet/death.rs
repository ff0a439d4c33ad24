//! How a body's end reaches its parent.

use crate::counted::{Counted, live};
use crate::raised::raised;
use crate::trace::{Defer, Trace};
use greenlet::{Greenlet, Received, State, SwitchError, current, root, suspend};
use std::cell::Cell;
use std::rc::Rc;

#[test]
fn the_result_goes_to_the_parents_pending_switch() {
    let g = Greenlet::new(|x: i32| x * 2);
    assert_eq!(g.switch::<i32, i32>(21), 42);
    let suspended = Greenlet::new(|()| {
        suspend::<i32, ()>(1);
        "result"
    });
    assert_eq!(suspended.switch::<(), i32>(()), 1);
    assert_eq!(suspended.switch::<(), &str>(()), "result");
}

#[test]
fn returning_nothing_gives_unit_and_a_tuple_stays_one() {
    assert!(Greenlet::new(|()| ()).switch_any(()).is::<()>());
    let tuple: Received = Greenlet::new(|()| (1, "x", [2_u8])).switch_any(());
    assert_eq!(tuple.get::<(i32, &str, [u8; 1])>(), (1, "x", [2]));
}

#[test]
fn the_end_goes_to_the_parent_not_to_the_last_switcher() {
    let trace = Trace::default();
    let child = Greenlet::new(|()| "result");
    let switcher = Greenlet::new({
        let (child, trace) = (child.clone(), trace.clone());
        move |()| {
            child.switch_any(());
            trace.say("never");
        }
    });
    assert_eq!(switcher.switch::<(), &str>(()), "result");
    assert_eq!(switcher.state(), State::Suspended);
    trace.is(&[]);
}

#[test]
fn the_dead_have_no_frames_no_name_and_no_body() {
    let g = Greenlet::builder().name("mortal").create(|()| ()).unwrap();
    let () = g.switch(());
    assert!(g.is_dead() && !g.is_active());
    assert_eq!(g.state(), State::Dead);
    assert!(g.backtrace().is_none() && g.suspended_frame().is_none());
    assert_eq!((g.name(), g.stack_used(), g.stack_bounds()), (None, None, None));
    assert_eq!(g.parent(), Some(current()));
    assert!(raised(|| g.bind(|()| ())).contains("is dead"));
}

#[test]
fn an_unstarted_parent_is_started_with_the_result() {
    let parent = Greenlet::new(|x: i32| (x, 24));
    let child = Greenlet::builder().parent(&parent).create(|()| 42).unwrap();
    assert_eq!(child.switch::<(), (i32, i32)>(()), (42, 24));
    assert!(parent.is_dead() && child.is_dead());

    let top = Greenlet::new(|x: (&'static str, i32)| ("gp", x));
    let middle = Greenlet::builder().parent(&top).create(|x: i32| ("p", x)).unwrap();
    let low = Greenlet::builder().parent(&middle).create(|()| 1).unwrap();
    assert_eq!(low.switch::<(), (&str, (&str, i32))>(()), ("gp", ("p", 1)));
}

#[test]
fn an_unstarted_parent_of_another_type_dies_unrun() {
    let trace = Trace::default();
    let parent = Greenlet::new({
        let trace = trace.clone();
        move |_: String| trace.say("never")
    });
    let child = Greenlet::builder().name("c").parent(&parent).create(|()| 42).unwrap();
    // The error goes to the parent's parent.
    match child.try_switch::<(), ()>(()) {
        Err(SwitchError::ChildExited(exit)) => {
            assert_eq!(
                (exit.id(), exit.name(), exit.type_name()),
                (child.id(), Some("c"), Some("i32"))
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(parent.is_dead());
    trace.is(&[]);
}

#[test]
fn a_parent_without_a_body_is_passed_over() {
    let parent = Greenlet::unbound();
    let child = Greenlet::builder().parent(&parent).create(|()| 7).unwrap();
    assert_eq!(child.switch::<(), i32>(()), 7);
    assert_eq!(parent.state(), State::Unbound);
    parent.bind(|()| 8);
    assert_eq!(parent.switch::<(), i32>(()), 8);
}

#[test]
fn the_nearest_living_ancestor_of_the_dead_parent_receives_the_result() {
    let grandparent = Greenlet::new(|()| {
        let parent = Greenlet::new(|()| Greenlet::new(|x: i32| x + 1));
        let child: Greenlet = parent.switch(());
        assert!(parent.is_dead());
        assert_eq!(child.parent(), Some(parent));
        let result: i32 = suspend(child);
        result * 10
    });
    let child: Greenlet = grandparent.switch(());
    assert_eq!(child.switch::<i32, i32>(1), 20);
    assert!(grandparent.is_dead());
}

#[test]
fn the_parent_at_the_time_of_death_counts() {
    let child = Greenlet::new(|()| {
        suspend::<(), ()>(());
        5
    });
    let () = child.switch(());
    let other = Greenlet::new(|()| {
        let got: i32 = suspend(());
        got + 100
    });
    let () = other.switch(());
    child.set_parent(&other).unwrap();
    assert_eq!(child.switch::<(), i32>(()), 105);
}

#[test]
fn cleanup_that_switches_delays_death_and_the_result() {
    let g = Greenlet::new(|()| {
        let _finally = Defer(|| suspend::<&str, ()>("from finally"));
        "ret"
    });
    assert_eq!(g.switch::<(), &str>(()), "from finally");
    assert!(!g.is_dead());
    assert_eq!(g.switch::<(), &str>(()), "ret");
    assert!(g.is_dead());
}

#[test]
fn the_dead_are_never_started_again() {
    let runs = Rc::new(Cell::new(0));
    let g = Greenlet::new({
        let runs = runs.clone();
        move |x: i32| {
            runs.set(runs.get() + 1);
            x
        }
    });
    for n in 0..5 {
        assert_eq!(g.switch::<i32, i32>(n), n);
        assert!(g.is_dead());
    }
    assert_eq!(runs.get(), 1);
}

#[test]
fn a_result_of_another_type_is_an_error_that_names_both() {
    let g = Greenlet::builder().name("teller").create(|()| Counted::<24>::new(1)).unwrap();
    let text = raised(|| g.switch::<(), i32>(()));
    assert!(
        text.contains("'teller'") && text.contains("Counted<24>") && text.contains("i32"),
        "{text}"
    );
    assert_eq!(live(), 0);
    // One who takes anything gets the value itself.
    let g = Greenlet::new(|()| Counted::<24>::new(2));
    assert!(g.switch_any(()).get::<Counted<24>>().is(2));
    assert_eq!(live(), 0);
}

/// Dropping a result that nobody takes runs user code, which may change who the ancestor is.
#[test]
fn the_ancestor_is_chosen_again_after_a_drop_that_reparents() {
    let other = Greenlet::new(|()| match current().parent().unwrap().try_switch_any(()) {
        Ok(received) => received.exit().is_some(),
        Err(error) => panic!("{error}"),
    });
    other.switch_any(());
    let child = Greenlet::unbound();
    child.bind({
        let (child, other) = (child.downgrade(), other.clone());
        move |()| Defer(move || child.upgrade().unwrap().set_parent(&other).unwrap())
    });
    // The root awaits a bool, not a `Defer`; its drop makes `other` the parent.
    assert!(child.switch::<(), bool>(()));
    assert!(other.is_dead());
}

#[test]
fn the_ancestor_is_chosen_again_after_a_drop_that_kills_it() {
    let parent = Greenlet::new(|()| {
        suspend::<(), i32>(());
    });
    let () = parent.switch(());
    let child = Greenlet::builder()
        .parent(&parent)
        .create({
            let holder = Rc::new(Cell::new(Some(parent.clone())));
            move |()| Defer(move || drop(holder.take()))
        })
        .unwrap();
    let weak = parent.downgrade();
    drop(parent);
    let end = child.switch_any(());
    assert_eq!(end.exit().unwrap().id(), child.id());
    assert!(weak.upgrade().is_none());
}

/// The drop of an untaken result switches away; somebody wakes it; then its end goes on.
#[test]
fn a_drop_that_switches_at_the_end_only_delays_it() {
    let trace = Trace::default();
    let g = Greenlet::new({
        let trace = trace.clone();
        move |()| {
            Defer(move || {
                suspend::<&str, ()>("dropping");
                trace.say("dropped");
            })
        }
    });
    // The root awaits a `&str`, and gets one: from the drop of the result.
    assert_eq!(g.switch::<(), &str>(()), "dropping");
    assert_eq!(g.state(), State::Suspended);
    assert!(matches!(g.try_switch::<(), i32>(()), Err(SwitchError::ChildExited(_))));
    assert!(g.is_dead());
    trace.is(&["dropped"]);
}

#[test]
fn a_panic_in_the_drop_of_an_untaken_result_goes_no_further() {
    let g = Greenlet::new(|()| Defer(|| crate::raised::boom("in drop")));
    assert!(matches!(g.try_switch::<(), i32>(()), Err(SwitchError::ChildExited(_))));
    assert_eq!(current(), root());
    assert!(g.is_dead());
}
