use crate::cases::{Subject, cases};
use crate::holders::{hold, let_go};
use crate::semaphore::exhausted;
use greenlet::sync::{BoundedSemaphore, TooManyReleases};
use greenlet::{Waitable, spawn, wait, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

fn uncontended() {
    let semaphore = BoundedSemaphore::new(1);
    semaphore.acquire_timeout(Duration::ZERO).unwrap().forget();
    assert!(semaphore.try_acquire().is_none() && semaphore.is_exhausted());
    assert_eq!(semaphore.release(), Ok(()));
    assert_eq!(semaphore.release(), Err(TooManyReleases));
    semaphore.wait();
    assert!(semaphore.wait_timeout(Duration::ZERO));
    let numbers = (semaphore.available(), semaphore.bound(), semaphore.balance());
    assert_eq!(numbers, (1, 1, 1));
    let text = "BoundedSemaphore { available: 1, bound: 1, waiting: 0 }";
    assert_eq!(format!("{semaphore:?}"), text);
}

cases!(|| exhausted!(BoundedSemaphore), uncontended);

#[test]
fn one_of_none_serves_nobody() {
    let semaphore = Rc::new(BoundedSemaphore::new(0));
    let one = semaphore.clone();
    let waiter = spawn(move || one.acquire().forget());
    yield_now();
    assert_eq!(semaphore.release(), Err(TooManyReleases));
    assert_eq!(semaphore.waiting(), 1);
    waiter.kill();
}

#[test]
fn a_guard_without_its_permit_panics() {
    let semaphore = BoundedSemaphore::new(1);
    let permit = semaphore.acquire();
    semaphore.release().unwrap(); // somebody else's
    let told = catch_unwind(AssertUnwindSafe(|| drop(permit))).unwrap_err();
    let text = told.downcast_ref::<String>().unwrap();
    assert_eq!(text, "Semaphore released too many times");
    assert_eq!(semaphore.available(), 1);
    assert!(semaphore.is_ready());
    assert_eq!(wait(&[&semaphore]).first(), Some(0));
}
