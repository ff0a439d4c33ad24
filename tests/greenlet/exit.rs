//! `GreenletExit`, the quiet end.

use crate::raised::{boom, raised, try_raised};
use crate::trace::{OnDrop, Trace};
use greenlet::{ChildExit, Greenlet, GreenletExit, Received, SwitchError, current, root, suspend};
use std::panic::{catch_unwind, resume_unwind};

fn suspended() -> Greenlet {
    let g = Greenlet::new(|()| suspend::<(), ()>(()));
    let () = g.switch(());
    g
}

#[test]
fn an_exit_that_leaves_a_body_is_a_value_for_the_parent() {
    let g = suspended();
    let end: Received = g.throw_any(GreenletExit);
    assert!(g.is_dead());
    assert_eq!(end.get::<GreenletExit>(), GreenletExit);
    // Also for one that waits for nothing else.
    assert_eq!(suspended().throw::<GreenletExit>(GreenletExit), GreenletExit);
}

#[test]
fn another_type_is_an_exception_whatever_it_holds() {
    struct MyExit(GreenletExit);
    let g = suspended();
    match g.try_throw::<()>(MyExit(GreenletExit)) {
        Err(SwitchError::Thrown(payload)) => {
            assert_eq!(payload.downcast_ref::<MyExit>().unwrap().0, GreenletExit);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn catch_unwind_catches_an_exit_like_any_other_payload() {
    let g = Greenlet::new(|()| match catch_unwind(|| suspend::<(), ()>(())) {
        Ok(()) => false,
        Err(payload) => payload.is::<GreenletExit>(),
    });
    let () = g.switch(());
    assert!(g.throw::<bool>(GreenletExit));
    // It is an error too, for those who pass it on by `?`.
    let error: Box<dyn std::error::Error> = Box::new(GreenletExit);
    assert_eq!(error.to_string(), "greenlet exit");
}

#[test]
fn kill_throws_the_exit() {
    let trace = Trace::default();
    let g = Greenlet::new({
        let trace = trace.clone();
        move |()| {
            let _finally = OnDrop(trace.clone(), "finally");
            trace.say(raised(|| suspend::<(), ()>(())));
            resume_unwind(Box::new(GreenletExit))
        }
    });
    let () = g.switch(());
    assert!(g.kill().is::<GreenletExit>());
    trace.is(&["GreenletExit", "finally"]);
}

#[test]
fn a_body_that_catches_it_and_returns_gives_its_result_to_the_thrower() {
    let g = Greenlet::new(|()| match try_raised(|| suspend::<(), ()>(())) {
        Ok(text) => format!("survived {text}"),
        Err(()) => String::new(),
    });
    let () = g.switch(());
    assert_eq!(g.kill().get::<String>(), "survived GreenletExit");
}

#[test]
fn a_body_that_catches_it_and_switches_out_lives_on() {
    let g = Greenlet::new(|()| {
        drop(raised(|| suspend::<(), ()>(())));
        let x: i32 = suspend("still here");
        x + 1
    });
    let () = g.switch(());
    assert_eq!(g.throw::<&str>(GreenletExit), "still here");
    assert!(!g.is_dead());
    assert_eq!(g.switch::<i32, i32>(1), 2);
}

#[test]
fn in_the_root_it_is_an_ordinary_payload() {
    assert_eq!(raised(|| current().throw::<()>(GreenletExit)), "GreenletExit");
    assert_eq!(raised(|| root().kill()), "GreenletExit");
    let thrower = Greenlet::new(|()| root().throw::<()>(GreenletExit));
    assert_eq!(raised(|| thrower.switch::<(), ()>(())), "GreenletExit");
}

#[test]
fn a_suspended_parent_receives_a_childs_exit_as_a_value() {
    let parent = Greenlet::new(|()| {
        let got = greenlet::suspend_any(());
        format!("parent got a value: {}", got.is::<GreenletExit>())
    });
    let () = parent.switch(());
    let child = Greenlet::builder().parent(&parent).create(|()| ()).unwrap();
    assert_eq!(child.throw::<String>(GreenletExit), "parent got a value: true");
}

/// One kill must not take the whole chain of parents down: who waits for another type is told so.
#[test]
fn a_parent_that_waits_for_another_type_is_told_of_the_exit() {
    let parent = Greenlet::new(|()| {
        let child = Greenlet::builder()
            .name("victim")
            .create(|()| suspend::<Greenlet, ()>(current()))
            .unwrap();
        let handle: Greenlet = child.switch(());
        match current().parent().unwrap().try_switch::<Greenlet, i32>(handle) {
            Err(SwitchError::ChildExited(exit)) => exit,
            other => panic!("{other:?}"),
        }
    });
    let child: Greenlet = parent.switch(());
    let exit: ChildExit = child.throw(GreenletExit);
    assert_eq!((exit.id(), exit.name()), (child.id(), Some("victim")));
    assert_eq!(exit.type_name(), None);
    assert!(exit.to_string().ends_with("'victim' was killed"), "{exit}");
}

#[test]
fn a_body_may_end_itself_by_the_exit() {
    let g = Greenlet::new(|fail: bool| {
        if fail {
            boom("no");
        }
        resume_unwind(Box::new(GreenletExit))
    });
    assert!(g.switch_any(false).is::<GreenletExit>());
    assert!(g.is_dead());
}

#[test]
fn an_ignored_answer_does_not_swallow_a_kill() {
    let trace = Trace::default();
    let g = Greenlet::new({
        let trace = trace.clone();
        move |()| {
            let _finally = OnDrop(trace.clone(), "finally");
            loop {
                greenlet::suspend_any(());
                trace.say("again");
            }
        }
    });
    g.switch_any(());
    g.switch_any(());
    assert!(g.kill().is::<GreenletExit>());
    trace.is(&["again", "finally"]);
}
