use crate::cases::{Subject, cases};
use crate::holders::{self, Holding, hold, let_go};
use crate::trace::{Trace, turns};
use greenlet::sync::{RwLock, RwLockWriteGuard};
use greenlet::yield_now;
use std::rc::Rc;
use std::time::Duration;

fn written() -> Subject {
    let lock = Rc::new(RwLock::new(()));
    let open = let_go(hold(&lock, |lock| lock.write()));
    let (itself, asked) = (Rc::downgrade(&lock), lock.clone());
    Subject {
        wait: Rc::new(move |limit| match limit {
            None => [lock.write()].len() == 1,
            Some(limit) => lock.write_timeout(limit).is_some(),
        }),
        open,
        state: Rc::new(move || format!("locked: {}", asked.is_locked())),
        hands_over: true,
        itself,
    }
}

fn uncontended() {
    let mut lock = RwLock::from(1);
    *lock.write() += 1;
    *lock.try_write().unwrap() += 1;
    *lock.write_timeout(Duration::ZERO).unwrap() += 1;
    *lock.get_mut() += 1;
    assert_eq!(format!("{lock:?}"), "RwLock { value: 5 }");
    let readers = [lock.read(), lock.try_read().unwrap()];
    assert_eq!(*lock.read_timeout(Duration::ZERO).unwrap(), 5);
    assert!(lock.is_locked() && lock.try_write().is_none());
    drop(readers);
    let reader = RwLockWriteGuard::downgrade(lock.write());
    assert!(lock.try_read().is_some() && lock.try_write().is_none());
    drop(reader);
    assert!(!lock.is_locked());
    assert_eq!(lock.into_inner(), 5);
}

cases!(written, uncontended);

mod reading {
    use super::*;

    fn to_read() -> Subject {
        let lock = Rc::new(RwLock::new(()));
        let open = let_go(hold(&lock, |lock| lock.write()));
        let (itself, asked) = (Rc::downgrade(&lock), lock.clone());
        Subject {
            wait: Rc::new(move |limit| match limit {
                None => [lock.read()].len() == 1,
                Some(limit) => lock.read_timeout(limit).is_some(),
            }),
            open,
            state: Rc::new(move || format!("locked: {}", asked.is_locked())),
            hands_over: true,
            itself,
        }
    }

    cases!(to_read, || ());
}

#[test]
fn entered_at_random() {
    holders::at_random(|| {
        let lock = Rc::new(RwLock::new(()));
        let asked = lock.clone();
        let enter = move |kind, limit| match kind {
            0 => hold(&lock, |lock| match limit {
                None => lock.try_write(),
                Some(None) => Some(lock.write()),
                Some(Some(limit)) => lock.write_timeout(limit),
            })
            .some(),
            _ => hold(&lock, |lock| match limit {
                None => lock.try_read(),
                Some(None) => Some(lock.read()),
                Some(Some(limit)) => lock.read_timeout(limit),
            })
            .some(),
        };
        Holding {
            enter: Box::new(enter),
            kinds: 2,
            one_at_a_time: false,
            allowed: |inside| inside[0] == 0 || (inside[0] == 1 && inside[1] == 0),
            is_free: Box::new(move || !asked.is_locked()),
        }
    });
}

fn reader(trace: &Trace, lock: &Rc<RwLock<()>>, name: &'static str) -> greenlet::JoinHandle<()> {
    let (lock, inside) = (lock.clone(), trace.clone());
    trace.task(name, move || {
        let _guard = lock.read();
        inside.say(format!("{name} in"));
        yield_now();
        "out"
    })
}

fn writer(trace: &Trace, lock: &Rc<RwLock<()>>, name: &'static str) -> greenlet::JoinHandle<()> {
    let (lock, inside) = (lock.clone(), trace.clone());
    trace.task(name, move || {
        let _guard = lock.write();
        inside.say(format!("{name} in"));
        yield_now();
        "out"
    })
}

#[test]
fn all_are_let_in_in_the_order_in_which_they_came() {
    let (trace, lock) = (Trace::default(), Rc::new(RwLock::new(())));
    let tasks = [
        reader(&trace, &lock, "r1"),
        reader(&trace, &lock, "r2"),
        writer(&trace, &lock, "w1"),
        reader(&trace, &lock, "r3"),
        reader(&trace, &lock, "r4"),
        writer(&trace, &lock, "w2"),
        reader(&trace, &lock, "r5"),
    ];
    greenlet::join_all(tasks).join().values().unwrap();
    trace.is(&[
        "r1 in", "r2 in", "r1: out", "r2: out", "w1 in", "w1: out", "r3 in", "r4 in", "r3: out",
        "r4: out", "w2 in", "w2: out", "r5 in", "r5: out",
    ]);
}

/// The writer was what kept the later readers out.
#[test]
fn readers_behind_a_writer_that_gives_up_join_those_inside() {
    let (trace, lock) = (Trace::default(), Rc::new(RwLock::new(())));
    let inside = lock.read();
    let killed = writer(&trace, &lock, "w1");
    let _ = reader(&trace, &lock, "r1");
    yield_now();
    assert!(lock.try_read().is_none()); // not past the writer
    killed.kill();
    yield_now();
    trace.is(&["w1: killed", "r1 in", "r1: out"]);
    let one = lock.clone();
    let gives_up = trace.task("w2", move || one.write_timeout(Duration::from_millis(1)).is_some());
    yield_now();
    let _ = reader(&trace, &lock, "r2");
    gives_up.wait();
    turns(4);
    trace.is(&["w2: false", "r2 in", "r2: out"]);
    drop(inside);
    assert!(!lock.is_locked());
}

#[test]
fn a_writer_that_goes_on_as_a_reader_lets_readers_in() {
    let (trace, lock) = (Trace::default(), Rc::new(RwLock::new(())));
    let guard = lock.write();
    let _ = (reader(&trace, &lock, "r1"), writer(&trace, &lock, "w1"), reader(&trace, &lock, "r2"));
    yield_now();
    let guard = RwLockWriteGuard::downgrade(guard);
    turns(2);
    trace.is(&["r1 in", "r1: out"]);
    drop(guard);
    for _ in 0..4 {
        yield_now();
    }
    trace.is(&["w1 in", "w1: out", "r2 in", "r2: out"]);
}
