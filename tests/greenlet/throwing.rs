//! Raising something in another greenlet.

use crate::raised::{Boom, raised, text, try_raised};
use crate::trace::{Defer, OnDrop, Trace};
use greenlet::{Greenlet, GreenletExit, State, SwitchError, Why, current, suspend};
use std::panic::resume_unwind;

/// Suspended at a call that says what is raised there, and then answers.
fn catcher() -> Greenlet {
    let g = Greenlet::new(|()| match try_raised(|| suspend::<(), ()>(())) {
        Ok(text) => format!("caught {text}"),
        Err(()) => "nothing".to_owned(),
    });
    let () = g.switch(());
    g
}

fn unstarted(trace: &Trace) -> Greenlet {
    let trace = trace.clone();
    Greenlet::new(move |()| trace.say("never runs"))
}

#[test]
fn a_throw_is_raised_at_the_suspension_point() {
    let trace = Trace::default();
    let g = Greenlet::new({
        let trace = trace.clone();
        move |()| {
            let _outer = OnDrop(trace.clone(), "outer dropped");
            {
                let _inner = OnDrop(trace.clone(), "inner dropped");
                trace.say(raised(|| suspend::<(), ()>(())));
            }
            suspend::<(), ()>(());
        }
    });
    let () = g.switch(());
    let () = g.throw(Boom("first"));
    assert_eq!(raised(|| g.throw::<()>(Boom("second"))), "boom second");
    trace.is(&["boom first", "inner dropped", "outer dropped"]);
}

#[test]
fn any_value_that_is_send_can_be_thrown() {
    assert_eq!(catcher().throw::<String>("text"), "caught text");
    assert_eq!(catcher().throw::<String>("owned".to_owned()), "caught owned");
    assert_eq!(catcher().throw::<String>(Boom("struct")), "caught boom struct");
    assert_eq!(catcher().throw::<String>([0_u8; 4096]), "caught something else");
    let g = Greenlet::new(|()| suspend::<(), ()>(()));
    let () = g.switch(());
    match g.try_throw::<()>((1, "with a value", std::backtrace::Backtrace::disabled())) {
        Err(SwitchError::Thrown(payload)) => {
            let (n, text, _) =
                *payload.downcast::<(i32, &str, std::backtrace::Backtrace)>().unwrap();
            assert_eq!((n, text), (1, "with a value"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn throw_returns_the_next_value_sent_to_the_thrower() {
    let g = Greenlet::new(|()| {
        let mut caught = 0;
        while try_raised(|| suspend::<i32, ()>(caught)).is_ok() {
            caught += 1;
        }
    });
    assert_eq!(g.switch::<(), i32>(()), 0);
    assert_eq!(g.throw::<i32>(Boom("a")), 1);
    assert_eq!(g.throw::<i32>(GreenletExit), 2);
    let () = g.switch(());
}

#[test]
fn a_throw_at_an_unstarted_greenlet_ends_it_unrun() {
    let trace = Trace::default();
    let g = unstarted(&trace);
    assert_eq!(raised(|| g.throw::<()>(Boom("x"))), "boom x");
    assert!(g.is_dead());
    trace.is(&[]);
}

#[test]
fn an_exit_at_an_unstarted_greenlet_comes_back_as_a_value() {
    let trace = Trace::default();
    let g = unstarted(&trace);
    assert!(g.kill().is::<GreenletExit>());
    assert!(g.is_dead());
    trace.is(&[]);
}

/// An exit is a value, so an unstarted parent that takes it is started with it.
#[test]
fn an_exit_starts_an_unstarted_parent_that_takes_it() {
    let trace = Trace::default();
    let parent = Greenlet::new(|_: GreenletExit| "parent ran");
    let child = unstarted(&trace);
    child.set_parent(&parent).unwrap();
    assert_eq!(child.kill().get::<&str>(), "parent ran");
    // One that takes another type ends unrun, and the next ancestor is told.
    let parent = unstarted(&trace);
    let child = unstarted(&trace);
    child.set_parent(&parent).unwrap();
    assert_eq!(child.kill().exit().unwrap().id(), child.id());
    assert!(parent.is_dead());
    trace.is(&[]);
}

#[test]
fn a_throw_passes_unstarted_parents_and_ends_them_unrun() {
    let trace = Trace::default();
    let parent = unstarted(&trace);
    let child = unstarted(&trace);
    child.set_parent(&parent).unwrap();
    assert_eq!(raised(|| child.throw::<()>(Boom("x"))), "boom x");
    assert!(parent.is_dead() && child.is_dead());
    trace.is(&[]);
}

#[test]
fn a_throw_at_an_unstarted_child_reaches_the_suspended_parent() {
    let trace = Trace::default();
    let parent = catcher();
    let child = unstarted(&trace);
    child.set_parent(&parent).unwrap();
    assert_eq!(child.throw::<String>(Boom("x")), "caught boom x");
    assert!(parent.is_dead() && child.is_dead());
    trace.is(&[]);
}

#[test]
fn a_throw_at_a_suspended_child_passes_on_to_the_suspended_parent() {
    let parent = catcher();
    let child = Greenlet::new(|()| suspend::<(), ()>(()));
    let () = child.switch(());
    child.set_parent(&parent).unwrap();
    assert_eq!(child.throw::<String>(Boom("x")), "caught boom x");
    assert!(parent.is_dead() && child.is_dead());
}

#[test]
fn a_throw_at_the_dead_is_raised_in_the_nearest_living_ancestor() {
    let g = Greenlet::new(|()| ());
    let () = g.switch(());
    assert_eq!(raised(|| g.throw::<()>(Boom("here"))), "boom here");
    g.set_parent(&catcher()).unwrap();
    // The handle of the catcher is gone, so it was killed, and the root is next.
    assert_eq!(raised(|| g.throw::<()>(Boom("here again"))), "boom here again");
    let parent = catcher();
    g.set_parent(&parent).unwrap();
    assert_eq!(g.throw::<String>(Boom("there")), "caught boom there");
    assert!(parent.is_dead());
}

#[test]
fn an_exit_at_the_dead_comes_back_at_once() {
    let g = Greenlet::new(|()| ());
    let () = g.switch(());
    assert!(g.kill().is::<GreenletExit>());
    assert_eq!(g.throw::<GreenletExit>(GreenletExit), GreenletExit);
    // Who waits for something else is told so.
    assert!(matches!(g.try_throw::<i32>(GreenletExit), Err(SwitchError::ChildExited(_))));
}

#[test]
fn a_throw_at_oneself_is_raised_right_there() {
    assert_eq!(raised(|| current().throw::<()>(Boom("self"))), "boom self");
    let g = Greenlet::new(|()| {
        let caught = raised(|| current().throw::<()>(Boom("inside")));
        assert!(!current().is_dead());
        caught
    });
    assert_eq!(g.switch::<(), String>(()), "boom inside");
}

#[test]
fn a_throw_at_a_greenlet_without_a_body_is_refused_with_its_payload() {
    let g = Greenlet::unbound();
    match g.try_throw::<()>(Boom("kept")) {
        Err(SwitchError::Refused { why: Why::NoBody, value }) => {
            assert_eq!(text(&*value.into_inner()), "boom kept");
        }
        other => panic!("{other:?}"),
    }
    assert!(raised(|| g.throw::<()>(Boom("x"))).contains("no body"));
    assert!(raised(|| g.kill()).contains("no body"));
    assert_eq!(g.state(), State::Unbound);
}

#[test]
fn a_switch_to_a_greenlet_without_a_body_is_refused_until_it_has_one() {
    let g = Greenlet::unbound();
    for _ in 0..2 {
        let refused = g.try_switch::<i32, i32>(1);
        assert!(matches!(refused, Err(SwitchError::Refused { why: Why::NoBody, value: 1 })));
    }
    assert!(raised(|| g.switch::<i32, i32>(1)).contains("no body"));
    g.bind(|x: i32| x + 1);
    assert_eq!(g.switch::<i32, i32>(1), 2);
}

#[test]
fn a_throw_equals_a_child_that_raises() {
    let by_throw = catcher().throw::<String>(Boom("x"));
    let target = catcher();
    let helper = Greenlet::builder()
        .parent(&target)
        .create(|()| resume_unwind(Box::new(Boom("x"))))
        .unwrap();
    assert_eq!(helper.switch::<(), String>(()), by_throw);
    // Except for the exit, which such a child hands on as a value.
    let target = Greenlet::new(|()| greenlet::suspend_any(()).is::<GreenletExit>());
    let () = target.switch(());
    let helper = Greenlet::builder()
        .parent(&target)
        .create(|()| resume_unwind(Box::new(GreenletExit)))
        .unwrap();
    assert!(helper.switch::<(), bool>(()));
}

#[test]
fn a_closure_that_switches_when_it_is_dropped_delays_the_throw() {
    let trace = Trace::default();
    let in_closure = Defer({
        let trace = trace.clone();
        move || {
            trace.say("closure dropped");
            let g = Greenlet::new(|()| suspend::<&str, ()>("other runs"));
            trace.say(g.switch::<(), &str>(()));
        }
    });
    let g = Greenlet::new(move |()| drop(in_closure));
    trace.say(raised(|| g.throw::<()>(Boom("thrown"))));
    trace.is(&["closure dropped", "other runs", "boom thrown"]);
}

#[test]
fn a_payload_is_dropped_once_wherever_it_ends() {
    use std::sync::Arc;
    let token = Arc::new(());
    let g = catcher();
    drop(g.throw::<String>(token.clone()));
    assert_eq!(Arc::strong_count(&token), 1);
    drop(try_raised(|| g.throw::<()>(token.clone())));
    assert_eq!(Arc::strong_count(&token), 1);
    drop(try_raised(|| Greenlet::new(|()| ()).throw::<()>(token.clone())));
    assert_eq!(Arc::strong_count(&token), 1);
    match Greenlet::unbound().try_throw::<()>(token.clone()) {
        Err(SwitchError::Refused { value, .. }) => drop(value),
        other => panic!("{other:?}"),
    }
    assert_eq!(Arc::strong_count(&token), 1);
}
