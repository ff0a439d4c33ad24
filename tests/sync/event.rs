use crate::cases::{Subject, cases};
use crate::trace::Trace;
use greenlet::sync::Event;
use greenlet::{sleep, spawn, wait, wait_each, yield_now};
use std::rc::Rc;
use std::time::Duration;

fn clear() -> Subject {
    let event = Rc::new(Event::new());
    let (itself, opened, asked) = (Rc::downgrade(&event), event.clone(), event.clone());
    Subject {
        wait: Rc::new(move |limit| match limit {
            None => [event.wait()].len() == 1,
            Some(limit) => event.wait_timeout(limit),
        }),
        open: Rc::new(move || opened.set()),
        state: Rc::new(move || format!("{asked:?}")),
        hands_over: false,
        itself,
    }
}

fn uncontended() {
    let event = Event::default();
    event.clear();
    assert!(!event.is_set());
    event.set();
    event.set();
    event.wait();
    assert!(event.is_set() && event.wait_timeout(Duration::ZERO));
    assert_eq!(format!("{event:?}"), "Event { is_set: true, .. }");
}

cases!(clear, uncontended);

#[test]
fn a_wait_ends_well_if_it_was_set_meanwhile_and_cleared_again() {
    let (trace, event) = (Trace::default(), Rc::new(Event::new()));
    for name in ["a", "b"] {
        let event = event.clone();
        let _ = trace.task(name, move || {
            let was_set = event.wait_timeout(Duration::from_secs(60));
            format!("{was_set} {}", event.is_set())
        });
    }
    yield_now();
    event.set();
    event.clear();
    assert!(!event.wait_timeout(Duration::from_millis(1)));
    trace.is(&["a: true false", "b: true false"]);
}

/// gevent since 20.5.1.
#[test]
fn whoever_finds_it_set_runs_after_those_who_had_to_wait() {
    let (trace, event) = (Trace::default(), Rc::new(Event::new()));
    for name in ["a", "b"] {
        let event = event.clone();
        let _ = trace.task(name, move || [event.wait()].len());
    }
    yield_now();
    event.set();
    trace.say("set");
    event.wait();
    trace.say("root");
    trace.is(&["set", "a: 1", "b: 1", "root"]);
    event.wait(); // now nobody is before
}

/// Hazard 68: a wake for each that waits, none for those who are gone.
#[test]
fn a_thousand_are_woken_once_each() {
    let event = Rc::new(Event::new());
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            let event = event.clone();
            spawn(move || event.wait())
        })
        .collect();
    yield_now();
    for task in tasks.iter().step_by(2) {
        task.kill();
    }
    event.set();
    assert_eq!(greenlet::stats().ready, 500);
    event.set();
    assert_eq!(greenlet::stats().ready, 500);
    yield_now();
    assert!(tasks.iter().all(|task| task.is_finished()));
}

#[test]
fn one_of_several_things() {
    let (one, other) = (Rc::new(Event::new()), Rc::new(Event::new()));
    let setter = spawn({
        let (one, other) = (one.clone(), other.clone());
        move || {
            other.set();
            sleep(Duration::from_millis(1));
            one.set();
        }
    });
    assert_eq!(wait(&[&*one, &*other]).first(), Some(1));
    let order: Vec<_> = wait_each(&[&*one, &*other, &setter]).collect();
    assert_eq!(order, [1, 0, 2]);
    one.clear();
    assert_eq!(wait(&[&*one]).timeout(Duration::from_millis(1)).first(), None);
}
