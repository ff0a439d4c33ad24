use crate::cases::{Subject, cases};
use crate::trace::Trace;
use greenlet::sync::{AlreadySent, NotSent, OneShotEvent};
use greenlet::{wait, yield_now};
use std::rc::Rc;
use std::time::Duration;

fn fresh() -> Subject {
    let event = Rc::new(OneShotEvent::<i32, String>::default());
    let (itself, opened, asked) = (Rc::downgrade(&event), event.clone(), event.clone());
    Subject {
        wait: Rc::new(move |limit| match limit {
            None => event.wait() == Ok(7),
            Some(limit) => event.wait_timeout(limit).is_some(),
        }),
        open: Rc::new(move || _ = opened.send(7)),
        state: Rc::new(move || format!("{asked:?}")),
        hands_over: false,
        itself,
    }
}

fn uncontended() {
    let event = OneShotEvent::new();
    assert!(event.poll().is_none() && !event.is_set());
    event.send("value").unwrap();
    assert!(event.is_set() && event.has_result() && !event.has_err());
    assert_eq!(event.wait().unwrap(), "value");
    assert_eq!(event.wait_timeout(Duration::ZERO).unwrap().unwrap(), "value");
    assert_eq!(event.poll().unwrap().unwrap(), "value");
}

cases!(fresh, uncontended);

#[test]
fn a_second_send_and_a_second_reset_are_refused_in_eventlets_words() {
    let event = OneShotEvent::<i32, &str>::default();
    assert_eq!(event.reset().unwrap_err(), NotSent);
    assert_eq!(NotSent.to_string(), "Trying to re-reset() a fresh event.");
    event.send(1).unwrap();
    let text = "Trying to re-send() an already-triggered event.";
    assert_eq!(event.send(2).unwrap_err().to_string(), text);
    assert_eq!(event.send_err("x").unwrap_err(), AlreadySent("x"));
    assert_eq!(event.wait(), Ok(1));
    event.reset().unwrap();
    assert!(!event.is_set());
    event.send_err("an error").unwrap();
    assert!(event.has_err() && !event.has_result());
    assert_eq!(event.wait(), Err("an error"));
    event.reset().unwrap();
    assert_eq!(event.reset().unwrap_err(), NotSent);
    event.send(3).unwrap();
    assert_eq!((event.wait(), event.has_err()), (Ok(3), false));
}

#[test]
fn whoever_was_woken_before_a_reset_gets_what_was_sent_then() {
    let (trace, event) = (Trace::default(), Rc::new(OneShotEvent::<i32>::new()));
    let waiter = |name| {
        let event = event.clone();
        let _ = trace.task(name, move || event.wait().unwrap());
    };
    waiter("a");
    waiter("b");
    yield_now();
    event.send(1).unwrap();
    event.reset().unwrap();
    waiter("c");
    trace.say("reset");
    yield_now();
    trace.is(&["reset", "a: 1", "b: 1"]);
    event.send(2).unwrap();
    assert_eq!(wait(&[&*event]).first(), Some(0));
    yield_now();
    trace.is(&["c: 2"]);
}
