//! Nothing is allocated by those who wait, and those who let them go on.

use crate::counting;
use greenlet::sync::{Barrier, CappedSemaphore, Condvar, Event, Mutex, OneShotEvent, RwLock};
use greenlet::sync::{ReentrantMutex, Semaphore, WaitGroup};
use greenlet::{join_all, spawn, yield_now};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Four tasks do it a hundred times, and once before that is counted.
#[track_caller]
fn allocates_nothing(f: impl Fn() + 'static) {
    let (f, gate) = (Rc::new(f), Rc::new(Barrier::new(5)));
    let tasks = [(); 4].map(|()| {
        let (f, gate) = (f.clone(), gate.clone());
        spawn(move || {
            f();
            gate.wait();
            (0..100).for_each(|_| f());
            gate.wait();
        })
    });
    gate.wait();
    assert_eq!(counting::allocations(|| _ = gate.wait()), 0);
    join_all(tasks).join().values().unwrap();
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn by_locks() {
    let (mutex, reentrant) = (Mutex::new(()), ReentrantMutex::new(()));
    let (lock, turn) = (RwLock::new(()), Cell::new(0));
    allocates_nothing(move || {
        let guards = (mutex.lock(), reentrant.lock());
        yield_now();
        drop(guards);
        let guard = mutex.lock_timeout(LONG);
        yield_now();
        drop(guard);
        turn.set(turn.get() + 1);
        if turn.get() % 3 == 0 {
            let _guard = lock.write();
            yield_now();
        } else {
            let _guard = lock.read();
            yield_now();
        }
    });
}

#[test]
fn by_semaphores() {
    let (semaphore, capped) = (Semaphore::new(1), CappedSemaphore::new(0, 1));
    let turn = Cell::new(0);
    allocates_nothing(move || {
        let permit = semaphore.acquire();
        yield_now();
        drop(permit);
        turn.set(turn.get() + 1);
        if turn.get() % 2 == 0 { capped.acquire() } else { capped.release() }
    });
}

#[test]
fn by_events() {
    let (barrier, event, group) = (Barrier::new(4), Event::new(), WaitGroup::new());
    allocates_nothing(move || {
        if barrier.wait().is_leader() {
            group.inc();
            yield_now();
            event.set();
            event.clear();
            yield_now();
            group.dec();
        } else {
            event.wait();
            group.wait();
        }
    });
}

#[test]
fn by_conditions_and_results() {
    let (barrier, mutex, condvar) = (Barrier::new(4), Mutex::new(0), Condvar::new());
    let event = OneShotEvent::<i32, i32>::default();
    allocates_nothing(move || {
        let leads = barrier.wait().is_leader();
        let mut waiting = mutex.lock();
        if leads {
            condvar.wait_while(&mut waiting, |waiting| *waiting < 3);
            *waiting = 0;
            condvar.notify_all();
        } else {
            *waiting += 1;
            condvar.notify_all();
            condvar.wait_while(&mut waiting, |waiting| *waiting != 0);
        }
        drop(waiting);
        if leads && !event.is_set() {
            event.send(1).unwrap();
        } else {
            event.wait().unwrap();
        }
    });
}
