//! What threads share is made of these: those of the standard library, or those of a model, which tries
//! the orders in which the threads' steps can be seen.

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
#[cfg(loom)]
pub(crate) use loom::thread::{Thread, current, park};
#[cfg(shuttle)]
pub(crate) use shuttle::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
#[cfg(shuttle)]
pub(crate) use shuttle::thread::{Thread, current, park};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::thread::{Thread, current, park, park_timeout};

/// Time does not pass in models.
#[cfg(any(loom, shuttle))]
pub(crate) fn park_timeout(_limit: std::time::Duration) {
    park();
}

/// Runs `f` in many orders of its threads' steps.
#[cfg(all(test, loom))]
pub(crate) fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3); // all orders take hours
    model.check(f);
}

#[cfg(all(test, shuttle))]
pub(crate) fn model(f: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(f, 100_000);
}

#[cfg(all(test, loom))]
pub(crate) use loom::thread::spawn;
#[cfg(all(test, shuttle))]
pub(crate) use shuttle::thread::spawn;
