use crate::cases::{Subject, cases};
use crate::holders::{self, Holding, hold, let_go};
use crate::trace::Trace;
use greenlet::sync::ReentrantMutex;
use greenlet::{current, spawn, yield_now};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

/// Held twice by a greenlet that is gone: `open` is called by others.
fn locked() -> Subject {
    let mutex = Rc::new(ReentrantMutex::new(()));
    let one = mutex.clone();
    let held = spawn(move || [hold(&one, |mutex| mutex.lock()), hold(&one, |mutex| mutex.lock())]);
    let open = let_go(held.join().ok().unwrap());
    let (itself, asked) = (Rc::downgrade(&mutex), mutex.clone());
    Subject {
        wait: Rc::new(move |limit| match limit {
            None => [mutex.lock(), mutex.lock()].len() == 2,
            Some(limit) => mutex.lock_timeout(limit).is_some(),
        }),
        open,
        state: Rc::new(move || format!("depth: {}", asked.depth())),
        hands_over: true,
        itself,
    }
}

fn uncontended() {
    let mut mutex = ReentrantMutex::new(Cell::new(1));
    {
        let guards = [mutex.lock(), mutex.try_lock().unwrap()];
        let third = mutex.lock_timeout(Duration::ZERO).unwrap();
        third.set(2);
        assert_eq!((mutex.depth(), mutex.owner()), (3, Some(current().id())));
        assert_eq!(guards[0].get(), 2);
    }
    assert!(!mutex.is_locked() && mutex.owner().is_none());
    mutex.get_mut().set(3);
    let text = "ReentrantMutex { owner: None, depth: 0, value: Cell { value: 3 } }";
    assert_eq!(format!("{mutex:?}"), text);
    assert_eq!(mutex.into_inner().get(), 3);
}

cases!(locked, uncontended);

#[test]
fn entered_at_random() {
    holders::at_random(|| {
        let mutex = Rc::new(ReentrantMutex::new(()));
        let asked = mutex.clone();
        Holding {
            enter: Box::new(move |_, limit| {
                let held = hold(&mutex, |mutex| {
                    let guard = match limit {
                        None => mutex.try_lock(),
                        Some(None) => Some(mutex.lock()),
                        Some(Some(limit)) => mutex.lock_timeout(limit),
                    };
                    guard.map(|guard| [mutex.lock(), guard])
                });
                held.some()
            }),
            kinds: 1,
            one_at_a_time: true,
            allowed: |inside| inside[0] <= 1,
            is_free: Box::new(move || !asked.is_locked()),
        }
    });
}

#[test]
fn a_release_by_another_names_owner_and_caller() {
    let mutex = Rc::new(ReentrantMutex::new(()));
    let me = current().id();
    let error = mutex.release().unwrap_err();
    assert_eq!((error.owner, error.caller), (None, me));
    assert_eq!(error.to_string(), format!("{me} cannot release a mutex that nobody holds"));
    std::mem::forget(mutex.lock());
    std::mem::forget(mutex.lock());
    let one = mutex.clone();
    let error = spawn(move || one.release().unwrap_err()).join().unwrap();
    assert_eq!(error.owner, Some(me));
    let text = format!("{} cannot release a mutex that {me} holds", error.caller);
    assert_eq!(error.to_string(), text);
    assert_eq!((mutex.release(), mutex.release()), (Ok(()), Ok(())));
    assert!(mutex.release().is_err() && !mutex.is_locked());
}

#[test]
fn it_is_handed_over_when_the_last_guard_goes() {
    let (trace, mutex) = (Trace::default(), Rc::new(ReentrantMutex::new(())));
    let (outer, inner) = (mutex.lock(), mutex.lock());
    let one = mutex.clone();
    let waiter = trace.task("waiter", move || [one.lock()].len());
    let id = waiter.id();
    yield_now();
    drop(outer);
    yield_now();
    trace.is(&[]);
    assert_eq!(mutex.owner(), Some(current().id()));
    drop(inner);
    assert_eq!((mutex.owner(), mutex.depth()), (Some(id), 1));
    assert!(mutex.try_lock().is_none());
    yield_now();
    trace.is(&["waiter: 1"]);
}

#[test]
fn a_guard_of_what_was_released_already_panics_and_the_mutex_goes_on() {
    let mutex = ReentrantMutex::new(());
    let guard = mutex.lock();
    assert_eq!(mutex.release(), Ok(()));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(guard))).is_err());
    drop(mutex.lock());
    assert!(!mutex.is_locked());
}
