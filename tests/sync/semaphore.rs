use crate::cases::{Subject, cases};
use crate::holders::{self, Holding, hold, let_go};
use crate::trace::Trace;
use greenlet::sync::{BoundedSemaphore, Permit, Semaphore, TooManyReleases, WaitGroup};
use greenlet::{Waitable, sleep, spawn, wait, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

/// A semaphore of this type without a permit, for one waiter at a time.
macro_rules! exhausted {
    ($semaphore:ident) => {{
        let semaphore = Rc::new($semaphore::new(1));
        let open = let_go(hold(&semaphore, |semaphore| semaphore.acquire()));
        let (itself, asked) = (Rc::downgrade(&semaphore), semaphore.clone());
        Subject {
            wait: Rc::new(move |limit| match limit {
                None => [semaphore.acquire()].len() == 1,
                Some(limit) => semaphore.acquire_timeout(limit).is_some(),
            }),
            open,
            state: Rc::new(move || format!("{asked:?}")),
            hands_over: true,
            itself,
        }
    }};
}
pub(crate) use exhausted;

fn uncontended() {
    let semaphore = Semaphore::new(2);
    let permits = [semaphore.acquire(), semaphore.acquire_timeout(Duration::ZERO).unwrap()];
    assert!(semaphore.try_acquire().is_none() && semaphore.is_exhausted());
    drop(permits);
    semaphore.wait();
    assert!(semaphore.wait_timeout(Duration::ZERO));
    semaphore.try_acquire().unwrap().forget();
    assert_eq!(semaphore.available(), 1);
    semaphore.release();
    semaphore.release();
    assert_eq!((semaphore.available(), semaphore.balance()), (3, 3));
    assert_eq!(format!("{semaphore:?}"), "Semaphore { available: 3, waiting: 0 }");
}

cases!(|| exhausted!(Semaphore), uncontended);

#[test]
fn entered_at_random() {
    holders::at_random(|| {
        let semaphore = Rc::new(Semaphore::new(3));
        let asked = semaphore.clone();
        Holding {
            enter: Box::new(move |_, limit| {
                let held = hold(&semaphore, |semaphore| match limit {
                    None => semaphore.try_acquire(),
                    Some(None) => Some(semaphore.acquire()),
                    Some(Some(limit)) => semaphore.acquire_timeout(limit),
                });
                held.some()
            }),
            kinds: 1,
            one_at_a_time: false,
            allowed: |inside| inside[0] <= 3,
            is_free: Box::new(move || (asked.available(), asked.waiting()) == (3, 0)),
        }
    });
}

#[test]
fn a_release_serves_the_first_and_no_latecomer() {
    let (trace, semaphore) = (Trace::default(), Rc::new(Semaphore::new(0)));
    for name in ["a", "b", "c"] {
        let semaphore = semaphore.clone();
        let _ = trace.task(name, move || [semaphore.acquire().forget()].len());
    }
    yield_now();
    assert_eq!((semaphore.waiting(), semaphore.balance()), (3, -3));
    semaphore.release();
    semaphore.release();
    assert!(semaphore.try_acquire().is_none());
    yield_now();
    trace.is(&["a: 1", "b: 1"]);
    assert_eq!((semaphore.waiting(), semaphore.balance()), (1, -1));
    semaphore.release();
    yield_now();
    trace.is(&["c: 1"]);
}

#[test]
fn the_balance_of_more_permits_than_it_can_say_is_the_most() {
    assert_eq!(Semaphore::new(usize::MAX).balance(), isize::MAX);
    assert_eq!(Semaphore::new(isize::MAX as usize - 1).balance(), isize::MAX - 1);
}

#[test]
fn to_wait_for_a_permit_takes_none() {
    let (trace, semaphore) = (Trace::default(), Rc::new(Semaphore::new(0)));
    let one = semaphore.clone();
    let _ = trace.task("waits", move || [one.wait()].len());
    let one = semaphore.clone();
    let _ = trace.task("watches", move || wait(&[&*one]).first().unwrap());
    yield_now();
    assert!(!semaphore.wait_timeout(Duration::from_millis(1)) && !semaphore.is_ready());
    semaphore.release();
    yield_now();
    trace.is(&["waits: 1", "watches: 0"]);
    assert_eq!(semaphore.available(), 1);
}

/// One that is handed over is never there to be seen.
#[test]
fn a_permit_for_a_waiter_tells_no_watcher() {
    let (trace, semaphore) = (Trace::default(), Rc::new(Semaphore::new(0)));
    let one = semaphore.clone();
    let _ = trace.task("waits", move || [one.wait()].len());
    let one = semaphore.clone();
    let _ = trace.task("takes", move || [one.acquire().forget()].len());
    yield_now();
    semaphore.release();
    yield_now();
    trace.is(&["takes: 1"]);
    semaphore.release();
    yield_now();
    trace.is(&["waits: 1"]);
}

#[test]
fn permits_of_a_killed_holder_go_on() {
    let (trace, semaphore) = (Trace::default(), Rc::new(Semaphore::new(2)));
    let one = semaphore.clone();
    let holder = spawn(move || {
        let _permits: [Permit<'_>; 2] = [one.acquire(), one.acquire()];
        greenlet::sleep(Duration::MAX);
    });
    yield_now();
    let one = semaphore.clone();
    let _ = trace.task("next", move || [one.acquire().forget()].len());
    yield_now();
    holder.kill();
    yield_now();
    trace.is(&["next: 1"]);
    assert_eq!(semaphore.available(), 1);
}

/// Whoever is killed before it begins has moved it in, and so gives it back.
#[test]
fn a_permit_that_a_task_owns_is_released_wherever_that_ends() {
    let (semaphore, group) = (Rc::new(Semaphore::new(2)), Rc::new(WaitGroup::new()));
    let tasks = [1, 2].map(|_| {
        let owned = (semaphore.acquire_owned(), group.enter_owned());
        spawn(move || {
            let _owned = owned;
            sleep(Duration::MAX);
        })
    });
    assert!(semaphore.try_acquire_owned().is_none());
    let waiting = spawn({
        let semaphore = semaphore.clone();
        move || semaphore.acquire_owned()
    });
    assert_eq!((group.count(), tasks[0].cancel()), (2, true));
    yield_now();
    assert_eq!((tasks[0].is_finished(), group.count(), semaphore.available()), (true, 1, 0));
    assert!(semaphore.acquire_owned_timeout(Duration::ZERO).is_none());
    waiting.join().unwrap().forget(); // it was handed what the first gave back
    tasks[1].kill();
    group.wait();
    assert_eq!((semaphore.available(), Rc::strong_count(&semaphore)), (1, 1));
}

#[test]
fn a_bounded_semaphore_gives_permits_to_own() {
    let semaphore = Rc::new(BoundedSemaphore::new(1));
    let permit = semaphore.acquire_owned();
    assert!(semaphore.try_acquire_owned().is_none());
    drop(permit);
    let permit = semaphore.acquire_owned_timeout(Duration::ZERO).unwrap();
    assert!(semaphore.release().is_ok(), "it is not its owner's alone");
    let refused = catch_unwind(AssertUnwindSafe(|| drop(permit))).unwrap_err();
    assert_eq!(refused.downcast_ref(), Some(&TooManyReleases.to_string()));
}
