use crate::cases::{Subject, cases};
use crate::trace::Trace;
use greenlet::sync::CappedSemaphore;
use greenlet::{spawn, yield_now};
use std::rc::Rc;
use std::time::Duration;

/// Empty: those who acquire it wait, and give it back.
fn empty() -> Subject {
    let capped = Rc::new(CappedSemaphore::new(0, 1));
    let (itself, opened, asked) = (Rc::downgrade(&capped), capped.clone(), capped.clone());
    Subject {
        wait: Rc::new(move |limit| {
            let acquired = match limit {
                None => [capped.acquire()].len() == 1,
                Some(limit) => capped.acquire_timeout(limit),
            };
            acquired && capped.try_release()
        }),
        open: Rc::new(move || _ = opened.try_release()),
        state: Rc::new(move || format!("{asked:?}")),
        hands_over: false, // it has returned when a kill comes
        itself,
    }
}

fn uncontended() {
    let capped = CappedSemaphore::new(1, 2);
    capped.release();
    assert!(capped.is_full() && !capped.try_release());
    capped.acquire();
    assert!(capped.acquire_timeout(Duration::ZERO) && !capped.try_acquire());
    assert!(capped.is_exhausted() && capped.release_timeout(Duration::ZERO));
    assert_eq!((capped.available(), capped.limit(), capped.balance()), (1, 2, 1));
}

cases!(empty, uncontended);

mod full {
    use super::*;

    /// Full: those who release it wait, and take it back.
    fn full() -> Subject {
        let capped = Rc::new(CappedSemaphore::new(1, 1));
        let (itself, opened, asked) = (Rc::downgrade(&capped), capped.clone(), capped.clone());
        Subject {
            wait: Rc::new(move |limit| {
                let released = match limit {
                    None => [capped.release()].len() == 1,
                    Some(limit) => capped.release_timeout(limit),
                };
                released && capped.try_acquire()
            }),
            open: Rc::new(move || _ = opened.try_acquire()),
            state: Rc::new(move || format!("{asked:?}")),
            hands_over: false,
            itself,
        }
    }

    cases!(full, || ());
}

#[test]
fn both_sides_are_served_in_order() {
    let (trace, capped) = (Trace::default(), Rc::new(CappedSemaphore::new(0, 1)));
    for name in ["r1", "r2", "r3"] {
        let capped = capped.clone();
        let _ = trace.task(name, move || [capped.release()].len());
    }
    yield_now();
    trace.is(&["r1: 1"]);
    assert_eq!((capped.available(), capped.balance()), (1, 3));
    for name in ["a1", "a2", "a3", "a4"] {
        let capped = capped.clone();
        let _ = trace.task(name, move || [capped.acquire()].len());
    }
    yield_now();
    yield_now();
    trace.is(&["a1: 1", "a2: 1", "a3: 1", "r2: 1", "r3: 1"]);
    assert_eq!((capped.available(), capped.balance()), (0, -1));
    capped.release();
    yield_now();
    trace.is(&["a4: 1"]);
}

#[test]
fn a_balance_of_more_than_it_can_say_is_the_most() {
    assert_eq!(CappedSemaphore::new(usize::MAX, usize::MAX).balance(), isize::MAX);
    let capped = Rc::new(CappedSemaphore::new(isize::MAX as usize, isize::MAX as usize));
    let one = capped.clone();
    let releases = spawn(move || one.release());
    yield_now();
    assert!(!releases.is_finished());
    assert_eq!(capped.balance(), isize::MAX);
}

#[test]
fn with_a_limit_of_zero_they_meet() {
    let (trace, capped) = (Trace::default(), Rc::new(CappedSemaphore::new(0, 0)));
    assert!(!capped.try_release() && !capped.try_acquire());
    let one = capped.clone();
    let _ = trace.task("releases", move || [one.release()].len());
    yield_now();
    trace.is(&[]);
    capped.acquire();
    yield_now();
    trace.is(&["releases: 1"]);
}

#[test]
#[should_panic(expected = "count cannot be more than limit")]
fn more_than_the_limit_is_refused() {
    CappedSemaphore::new(2, 1);
}
