//! Beginnings that are disturbed: by tracers that switch, by drops, by missing memory.

use crate::counted::{Counted, live};
use crate::raised::{Boom, boom, raised};
use crate::trace::{Defer, OnDrop, Trace};
use greenlet::{
    Greenlet, StackError, State, SwitchError, TraceEvent, Tracer, current, root, set_trace, suspend,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Sets a trace callback for as long as it lives.
struct Tracing;

impl Tracing {
    fn by(tracer: impl Fn(&TraceEvent<'_>) + 'static) -> Tracing {
        set_trace(Some(Rc::new(tracer) as Tracer));
        Tracing
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        set_trace(None);
    }
}

/// The start of the original that is entered again while the body is looked up: nearest to it is a
/// tracer that leaves the new greenlet before its body begins.
#[test]
fn a_tracer_that_leaves_a_start_does_not_change_its_argument() {
    let trace = Trace::default();
    let left = Rc::new(Cell::new(false));
    let g = Greenlet::new({
        let trace = trace.clone();
        move |n: i32| {
            trace.say(format!("body {n}"));
            n
        }
    });
    let _tracing = Tracing::by({
        let (trace, g) = (trace.clone(), g.downgrade());
        move |event| {
            if !left.replace(true) {
                assert_eq!(Some(event.target), g.upgrade().as_ref());
                trace.say("tracer leaves");
                let back: i32 = suspend("from the tracer");
                trace.say(format!("tracer got {back}"));
            }
        }
    });
    trace.say(g.switch::<i32, &str>(42));
    trace.say(g.switch::<i32, i32>(43));
    trace.is(&["tracer leaves", "from the tracer", "tracer got 43", "body 42", "42"]);
}

#[test]
fn a_refused_start_moves_its_argument_up_to_nobody() {
    // A dead child over an unstarted parent of another type: nobody is started, it comes back.
    let parent = Greenlet::new(|_: String| ());
    let child = Greenlet::builder().parent(&parent).create(|()| ()).unwrap();
    assert!(raised(|| child.throw::<()>(Boom("x"))).contains("boom x"));
    let parent = Greenlet::new(|text: String| text.len());
    child.set_parent(&parent).unwrap();
    match child.try_switch::<Counted<8>, usize>(Counted::new(1)) {
        Err(SwitchError::Refused { value, .. }) => assert!(value.is(1)),
        other => panic!("{other:?}"),
    }
    assert_eq!(parent.state(), State::Unstarted);
    assert_eq!(child.switch::<String, usize>("four".to_owned()), 4);
    assert_eq!(live(), 0);
}

/// The body of an unstarted greenlet is dropped, and its drop switches away in the middle.
#[test]
fn a_body_whose_drop_switches_away_can_be_resumed_in_it() {
    let trace = Trace::default();
    let g = Greenlet::new({
        let in_closure = Defer({
            let trace = trace.clone();
            move || {
                let back: i32 = suspend("from the body's drop");
                trace.say(format!("drop got {back}"));
            }
        });
        move |()| drop(in_closure)
    });
    let dropper = Greenlet::new({
        let trace = trace.clone();
        let g = RefCell::new(Some(g));
        move |()| {
            drop(g.take());
            trace.say("dropped");
        }
    });
    trace.say(dropper.switch::<(), &str>(()));
    assert_eq!(dropper.state(), State::Suspended);
    let () = dropper.switch(9);
    trace.is(&["from the body's drop", "drop got 9", "dropped"]);
}

#[test]
fn a_tracer_that_switches_between_two_greenlets_loses_nothing() {
    let trace = Trace::default();
    let (g1, g2) = (Greenlet::unbound(), Greenlet::unbound());
    g1.bind({
        let trace = trace.clone();
        move |()| {
            trace.say("g1 runs");
            suspend::<(), ()>(());
            trace.say("g1 falls off its end");
        }
    });
    g2.bind({
        let trace = trace.clone();
        move |from: &'static str| {
            trace.say(format!("g2 runs {from}"));
            trace.say("g2 falls off its end");
        }
    });
    let switched = Rc::new(Cell::new(false));
    {
        let _tracing = Tracing::by({
            let (g2, trace) = (g2.clone(), trace.clone());
            move |_| {
                trace.say("trace");
                if !switched.replace(true) {
                    g2.set_parent(&current()).unwrap();
                    let () = g2.switch("from the tracer");
                    trace.say("leave trace");
                }
            }
        });
        let () = g1.switch(());
    }
    let () = g1.switch(());
    assert!(g1.is_dead() && g2.is_dead());
    trace.is(&[
        "trace",
        "g2 runs from the tracer",
        "g2 falls off its end",
        "leave trace",
        "g1 runs",
        "trace",
        "g1 falls off its end",
    ]);
}

#[test]
fn a_tracer_that_sends_the_wrong_type_raises_and_nobody_is_harmed() {
    let g2 = Greenlet::new(|_: i32| ());
    let g1 = Greenlet::new(|value: Counted<24>| assert!(value.is(1)));
    let _tracing = Tracing::by({
        let g2 = g2.clone();
        move |_| {
            g2.switch_any("not an i32");
        }
    });
    // It is raised in the target, whose body never runs; its argument is dropped.
    let text = raised(|| g1.switch::<_, ()>(Counted::<24>::new(1)));
    assert!(text.contains("&str") && text.contains("i32"), "{text}");
    assert!(g1.is_dead() && greenlet::get_trace().is_none());
    assert_eq!((g2.state(), live()), (State::Unstarted, 0));
    let () = g2.switch(1);
}

#[test]
fn a_tracer_that_panics_also_in_its_drop_raises_the_first_panic() {
    let in_drop = Defer(|| boom("drop of the tracer"));
    set_trace(Some(Rc::new(move |_| {
        let _used = &in_drop;
        boom("tracer")
    })));
    let g = Greenlet::new(|value: Counted<24>| drop(value));
    assert_eq!(raised(|| g.switch::<_, ()>(Counted::<24>::new(1))), "boom tracer");
    assert_eq!(live(), 0);
    assert!(g.is_dead());
}

/// Three greenlets, one of them started by the tracer in the middle of a switch to another.
#[test]
fn a_tracer_that_diverts_a_switch_among_three_delivers_every_value() {
    let trace = Trace::default();
    let body = |name: &'static str| {
        let trace = trace.clone();
        move |first: &'static str| {
            trace.say(format!("{name} arg: {first}"));
            let second: &str = suspend(format!("from {name}"));
            trace.say(format!("{name} from parent: {second}"));
            format!("{name} done")
        }
    };
    let (g1, g2) = (Greenlet::new(body("g1")), Greenlet::new(body("g2")));
    let diverted = Rc::new(Cell::new(false));
    let _tracing = Tracing::by({
        let (trace, g2) = (trace.clone(), g2.clone());
        move |_| {
            trace.say("trace");
            if !diverted.replace(true) {
                // The parent of g2 is the root, so g2's answer goes there, and we stay behind.
                g2.switch_any("g2 from the tracer");
                trace.say("tracer resumed");
            }
        }
    });
    let say = |what: &str, got: String| trace.say(format!("root {what}: {got}"));
    say("g1", g1.switch("g1 from root"));
    say("g1 again", g1.switch("to the tracer"));
    say("g2", g2.switch("g2 from root"));
    say("g1 at last", g1.switch("g1 from root 2"));
    assert!(g1.is_dead() && g2.is_dead());
    trace.is(&[
        "trace",
        "g2 arg: g2 from the tracer",
        "trace",
        "root g1: from g2",
        "tracer resumed",
        "g1 arg: g1 from root",
        "trace",
        "root g1 again: from g1",
        "trace",
        "g2 from parent: g2 from root",
        "trace",
        "root g2: g2 done",
        "trace",
        "g1 from parent: g1 from root 2",
        "trace",
        "root g1 at last: g1 done",
    ]);
}

#[test]
fn a_greenlet_that_gets_no_stack_changes_nothing() {
    let trace = Trace::default();
    let token = OnDrop(trace.clone(), "body dropped");
    let made = Greenlet::builder().stack_size(usize::MAX / 2).create(move |()| drop(token));
    let error: StackError = made.expect_err("no such stack");
    trace.is(&["body dropped"]);
    assert!(!error.to_string().is_empty());
    assert_eq!(current(), root());
    assert_eq!(root().children(), []);
    assert_eq!(Greenlet::try_new(|x: i32| x).unwrap().switch::<i32, i32>(1), 1);
}

#[test]
fn a_refused_switch_into_a_running_greenlet_leaves_it_resumable() {
    let trace = Trace::default();
    let g = Greenlet::new({
        let trace = trace.clone();
        move |()| {
            for n in 1..=3 {
                trace.say(n);
                suspend::<(), ()>(());
            }
        }
    });
    let () = g.switch(());
    for _ in 0..2 {
        assert!(g.try_switch::<i32, ()>(1).is_err());
        let () = g.switch(());
    }
    trace.is(&["1", "2", "3"]);
    let () = g.switch(());
    assert!(g.is_dead());
}

#[test]
fn a_body_that_raises_at_once_is_dead_and_its_slot_usable() {
    for n in 0..100 {
        let g = Greenlet::new(move |_: Counted<100>| boom("at once"));
        assert_eq!(raised(|| g.switch::<_, ()>(Counted::<100>::new(n))), "boom at once");
        assert!(g.is_dead());
    }
    assert_eq!(live(), 0);
}
