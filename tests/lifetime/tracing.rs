//! Trace callbacks: rules 148 to 154.

use crate::log::Log;
use greenlet::{
    Greenlet, SwitchError, TraceEvent, TraceKind, Tracer, current, get_trace, root, set_trace,
    suspend,
};
use std::cell::Cell;
use std::panic::resume_unwind;
use std::rc::Rc;

/// How a greenlet is called in the log.
fn called(g: &Greenlet) -> String {
    if *g == root() { "root".into() } else { g.name().unwrap_or_else(|| "dead".into()) }
}

/// Writes every event to the log.
fn tracer(log: &Log) -> Tracer {
    let log = log.clone();
    Rc::new(move |event: &TraceEvent<'_>| {
        assert_eq!(*event.target, current(), "called in the target");
        let kind = match event.kind {
            TraceKind::Switch => "switch",
            TraceKind::Throw => "throw",
            _ => "unknown", // an extension: to be tolerated
        };
        log.say(format!("{kind} {} to {}", called(event.origin), called(event.target)));
    })
}

fn named<A: 'static, R: 'static>(name: &str, body: impl FnOnce(A) -> R + 'static) -> Greenlet {
    Greenlet::builder().name(name).create(body).unwrap()
}

fn same(a: &Option<Tracer>, b: &Tracer) -> bool {
    a.as_ref().is_some_and(|a| Rc::ptr_eq(a, b))
}

#[test]
fn set_returns_the_previous_and_get_reads() {
    let (a, b) = (tracer(&Log::default()), tracer(&Log::default()));
    assert!(get_trace().is_none());
    assert!(set_trace(Some(a.clone())).is_none());
    assert!(same(&get_trace(), &a));
    assert!(same(&set_trace(Some(a.clone())), &a), "the same one twice");
    assert!(same(&set_trace(Some(b.clone())), &a));
    assert!(same(&set_trace(None), &b));
    assert!(set_trace(None).is_none() && get_trace().is_none());
}

#[test]
fn it_is_of_its_thread() {
    set_trace(Some(tracer(&Log::default())));
    let none_there = std::thread::spawn(|| get_trace().is_none()).join().unwrap();
    assert!(none_there);
    set_trace(None);
}

#[test]
fn run_and_return_are_two_switches() {
    let log = Log::default();
    let g = named("g", |()| ());
    set_trace(Some(tracer(&log)));
    g.switch::<(), ()>(());
    set_trace(None);
    assert_eq!(log.lines(), ["switch root to g", "switch dead to root"]);
}

#[test]
fn a_panicking_body_is_a_switch_and_a_throw() {
    let log = Log::default();
    let g = named("g", |()| resume_unwind(Box::new(1_u8)));
    set_trace(Some(tracer(&log)));
    assert!(g.try_switch::<(), ()>(()).is_err());
    set_trace(None);
    assert_eq!(log.lines(), ["switch root to g", "throw dead to root"]);
}

#[test]
fn a_kill_is_a_throw_and_a_switch() {
    let log = Log::default();
    let g = named("g", |()| suspend::<(), ()>(()));
    g.switch::<(), ()>(());
    set_trace(Some(tracer(&log)));
    g.kill();
    set_trace(None);
    assert_eq!(log.lines(), ["throw root to g", "switch dead to root"]);
}

#[test]
fn a_kill_by_drop_is_traced_too() {
    let log = Log::default();
    let g = named("g", |()| suspend::<(), ()>(()));
    g.switch::<(), ()>(());
    set_trace(Some(tracer(&log)));
    drop(g);
    set_trace(None);
    assert_eq!(log.lines(), ["throw root to g", "switch dead to root"]);
}

#[test]
fn transfers_to_oneself_are_traced() {
    let log = Log::default();
    let dead = Greenlet::new(|()| ());
    dead.switch::<(), ()>(());
    set_trace(Some(tracer(&log)));
    current().switch::<u8, u8>(1);
    dead.switch::<u8, u8>(1);
    assert!(dead.try_throw::<()>(1_u8).is_err());
    assert!(current().try_throw::<()>(1_u8).is_err());
    drop(dead.kill());
    set_trace(None);
    assert_eq!(
        log.lines(),
        [
            "switch root to root",
            "switch root to root",
            "throw root to root",
            "throw root to root",
            "switch root to root"
        ]
    );
}

#[test]
fn a_refused_transfer_is_not_traced() {
    let log = Log::default();
    let g = named("g", |_: u8| ());
    set_trace(Some(tracer(&log)));
    assert!(g.try_switch::<u16, ()>(1).is_err());
    assert!(Greenlet::unbound().try_switch::<u16, ()>(1).is_err());
    set_trace(None);
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn a_panic_of_the_callback_is_raised_in_the_target_and_removes_it() {
    let g = named("g", |()| 5_u8);
    set_trace(Some(Rc::new(|event| {
        if event.target.is_root() {
            resume_unwind(Box::new("from the callback"));
        }
    })));
    let answer = g.try_switch::<(), u8>(());
    let Err(SwitchError::Thrown(payload)) = answer else { panic!("no panic") };
    assert_eq!(*payload.downcast::<&str>().unwrap(), "from the callback");
    assert!(get_trace().is_none() && g.is_dead());
}

#[test]
fn a_callback_may_switch() {
    let log = Log::default();
    let side = named("side", |()| {
        loop {
            suspend::<(), ()>(());
        }
    });
    let inner = tracer(&log);
    let g = named("g", |()| suspend::<u8, ()>(1));
    set_trace(Some(Rc::new({
        let side = side.clone();
        move |event| {
            inner(event);
            side.set_parent(&current()).unwrap();
            side.switch::<(), ()>(());
        }
    })));
    let one: u8 = g.switch(());
    set_trace(None);
    assert_eq!(one, 1);
    assert_eq!(log.lines(), ["switch root to g", "switch g to root"]);
}

#[test]
fn two_greenlets_and_a_callback_that_switches_between_them_lose_nothing() {
    let (a, b) = (Greenlet::unbound(), Greenlet::unbound());
    let entered = Rc::new(Cell::new(0));
    for (g, other) in [(&a, &b), (&b, &a)] {
        let other = other.downgrade();
        g.bind(move |x: u32| {
            let answer = match other.upgrade() {
                Some(other) if !other.is_dead() => other.try_switch::<u32, u32>(x + 1),
                _ => Ok(x),
            };
            answer.unwrap_or(x) + 100
        });
    }
    set_trace(Some(Rc::new({
        let (entered, b) = (entered.clone(), b.downgrade());
        move |_| {
            entered.set(entered.get() + 1);
            if entered.get() == 1
                && let Some(b) = b.upgrade()
            {
                drop(b.try_switch_any(1_u32));
            }
        }
    })));
    let mut answers = Vec::new();
    for g in [&a, &b, &a, &b] {
        answers.push(g.try_switch::<u32, u32>(1).is_ok());
        assert!(entered.get() > 0);
    }
    set_trace(None);
    drop((a, b));
    assert_eq!(answers.len(), 4);
    assert_eq!(greenlet::all().len(), 1, "nobody is lost");
}

#[test]
fn a_callback_may_kill_the_origin() {
    let log = Log::default();
    let g = named("g", {
        let log = log.clone();
        move |()| {
            let _end = log.at_end("unwound");
            suspend::<u8, ()>(1);
        }
    });
    set_trace(Some(Rc::new(|event| {
        if event.target.is_root() && !event.origin.is_dead() {
            event.origin.kill();
        }
    })));
    let one: u8 = g.switch(());
    set_trace(None);
    assert_eq!((one, g.is_dead()), (1, true));
    assert_eq!(log.lines(), ["unwound"]);
}

#[test]
fn a_callback_may_replace_or_remove_itself() {
    let calls = Rc::new(Cell::new(0));
    set_trace(Some(Rc::new({
        let calls = calls.clone();
        move |_| {
            calls.set(calls.get() + 1);
            drop(set_trace(None));
        }
    })));
    Greenlet::new(|()| ()).switch::<(), ()>(());
    assert_eq!(calls.get(), 1);
}

#[test]
fn a_callback_that_is_killed_while_it_waits_ends_its_greenlet() {
    let log = Log::default();
    let g = named("g", {
        let log = log.clone();
        move |()| log.say("never")
    });
    set_trace(Some(Rc::new(|event| {
        if !event.target.is_root() {
            suspend::<u8, ()>(9);
        }
    })));
    assert_eq!(g.switch::<(), u8>(()), 9);
    set_trace(None);
    g.kill();
    assert!(g.is_dead());
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn a_nested_kill_of_one_that_waits_in_its_callback_leaves_the_outer_kill_going() {
    let log = Log::default();
    set_trace(Some(Rc::new(|event| {
        if event.target.name().as_deref() == Some("inner") {
            suspend::<u8, ()>(9);
        }
    })));
    let inner = named("inner", |()| ());
    assert_eq!(inner.switch::<(), u8>(()), 9);
    set_trace(None);
    let other = Greenlet::new(|()| ());
    let outer = named("outer", {
        let log = log.clone();
        move |()| {
            let caught = std::panic::catch_unwind(|| suspend::<(), ()>(()));
            assert!(caught.is_err());
            drop(inner);
            let answer = other.try_switch::<(), ()>(());
            log.say(format!("{:?}", answer.unwrap_err().why()));
        }
    });
    outer.switch::<(), ()>(());
    drop(outer);
    assert_eq!(log.lines(), ["Some(Dying)"]);
    Greenlet::new(|()| ()).switch::<(), ()>(());
}
