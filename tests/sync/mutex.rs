#![expect(unsafe_code, reason = "forks")]

use crate::cases::{Subject, cases};
use crate::holders::{self, Holding, hold, let_go};
use crate::trace::Trace;
use greenlet::sync::{Mutex, MutexGuard};
use greenlet::{spawn, yield_now};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

fn locked() -> Subject {
    let mutex = Rc::new(Mutex::new(()));
    let open = let_go(hold(&mutex, |mutex| mutex.lock()));
    let (itself, asked) = (Rc::downgrade(&mutex), mutex.clone());
    Subject {
        wait: Rc::new(move |limit| match limit {
            None => [mutex.lock()].len() == 1,
            Some(limit) => mutex.lock_timeout(limit).is_some(),
        }),
        open,
        state: Rc::new(move || format!("locked: {}", asked.is_locked())),
        hands_over: true,
        itself,
    }
}

fn uncontended() {
    let mut mutex = Mutex::new(1);
    *mutex.lock() += 1;
    *mutex.try_lock().unwrap() += 1;
    *mutex.lock_timeout(Duration::ZERO).unwrap() += 1;
    *mutex.get_mut() += 1;
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 5 }");
    assert_eq!(mutex.lock().to_string(), "5");
    assert!(!mutex.is_locked());
    assert_eq!(mutex.into_inner(), 5);
}

cases!(locked, uncontended);

#[test]
fn entered_at_random() {
    holders::at_random(|| {
        let mutex = Rc::new(Mutex::new(()));
        let asked = mutex.clone();
        Holding {
            enter: Box::new(move |_, limit| {
                let held = hold(&mutex, |mutex| match limit {
                    None => mutex.try_lock(),
                    Some(None) => Some(mutex.lock()),
                    Some(Some(limit)) => mutex.lock_timeout(limit),
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

/// Hazard 67: whoever comes while the mutex is being handed over does not get it.
#[test]
fn nobody_slips_in_before_the_one_that_waits() {
    let (trace, mutex) = (Trace::default(), Rc::new(Mutex::new(())));
    let guard = mutex.lock();
    let waiter = {
        let mutex = mutex.clone();
        trace.task("waiter", move || [mutex.lock()].len())
    };
    yield_now();
    drop(guard);
    assert!(mutex.is_locked() && mutex.try_lock().is_none());
    drop(mutex.lock());
    trace.say("root");
    trace.is(&["waiter: 1", "root"]);
    waiter.join().unwrap();
}

/// Hazard 67: ten that want it all the time get it in turns.
#[test]
fn each_waits_for_at_most_all_others() {
    let (turns, mutex) = (Rc::new(Cell::new(0)), Rc::new(Mutex::new(())));
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let (turns, mutex) = (turns.clone(), mutex.clone());
            spawn(move || {
                let mut last = None;
                for _ in 0..100 {
                    let _guard = mutex.lock();
                    let turn = turns.replace(turns.get() + 1);
                    assert!(last.is_none_or(|last| turn - last <= 10));
                    last = Some(turn);
                    yield_now();
                }
            })
        })
        .collect();
    for task in tasks {
        task.join().unwrap();
    }
    assert_eq!(turns.get(), 1000);
}

#[test]
fn a_panic_releases_it_and_leaves_no_mark() {
    let mutex = Rc::new(Mutex::new(1));
    let (trace, waiting) = (Trace::default(), mutex.clone());
    let failed = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = mutex.lock();
        let _ = trace.task("next", move || *waiting.lock());
        yield_now();
        *guard = 2;
        panic!("inside");
    }));
    assert!(failed.is_err());
    yield_now();
    trace.is(&["next: 2"]);
    assert!(!mutex.is_locked());
}

/// The guard outlives the hub, and the waiter's stack is left as it is.
#[test]
fn a_guard_may_be_dropped_when_the_thread_has_ended() {
    std::thread_local! {
        static KEPT: RefCell<Option<MutexGuard<'static, i32>>> = const { RefCell::new(None) };
    }
    let mutex = std::thread::spawn(|| {
        let mutex: &'static Mutex<i32> = Box::leak(Box::new(Mutex::new(0)));
        KEPT.set(Some(mutex.lock())); // before there is a hub, so it is dropped after that
        greenlet::spawn_detached(move || *mutex.lock() += 1);
        yield_now();
        &raw const *mutex as usize
    });
    assert_ne!(mutex.join().unwrap(), 0);
}

#[test]
fn a_child_of_a_fork_may_drop_guards() {
    let mutex = Rc::new(Mutex::new(0));
    let guard = mutex.lock();
    let one = mutex.clone();
    let waiter = spawn(move || *one.lock() += 1);
    yield_now();
    // SAFETY: the child calls nothing that another thread may have left in the middle.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(guard))).is_ok();
        // SAFETY: ends the child.
        unsafe { libc::_exit(i32::from(!dropped)) };
    }
    let mut status = 0;
    // SAFETY: a child of ours, a place for its status.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(libc::WEXITSTATUS(status), 0);
    drop(guard);
    waiter.join().unwrap();
}

#[test]
fn a_wait_without_end_is_reported_as_one_for_a_mutex() {
    let mutex = Mutex::new(());
    let _guard = mutex.lock();
    let told = catch_unwind(AssertUnwindSafe(|| drop(mutex.lock()))).unwrap_err();
    let deadlock = told.downcast_ref::<greenlet::Deadlock>().unwrap();
    assert_eq!(deadlock.waiting(), ["the root greenlet waits for a mutex"]);
}
