//! Waiting until everybody else has come to rest.

use super::park_in::{moment, wait_in};
use crate::hub::hub;
use std::time::Duration;

/// Parks until nothing can happen any more on this thread: each task has ended, or waits for what only
/// the current greenlet, or nobody, could bring.
///
/// gevent's `wait()` without objects. It waits for tasks that wait for the kernel (to accept connections,
/// say), for the clock or for another thread, and while a [`HubHandle`](crate::HubHandle) exists, by which
/// other threads may bring something. To wait only for those that are ready there is [`idle`](crate::idle).
/// Tasks that wait for one another for ever do not count: no [`Deadlock`](crate::Deadlock) is raised while
/// a greenlet waits in here.
///
/// ```
/// use greenlet::{run_until_idle, sleep, spawn_detached};
/// use std::{cell::Cell, rc::Rc, time::Duration};
/// let done = Rc::new(Cell::new(0));
/// for pause in 1..=3 {
///     let done = done.clone();
///     spawn_detached(move || {
///         sleep(Duration::from_millis(pause));
///         done.set(done.get() + 1);
///     });
/// }
/// run_until_idle();
/// assert_eq!(done.get(), 3);
/// ```
///
/// A [`timeout`](crate::timeout) around it counts as something that will happen, so that the wait ends only
/// when that has passed. Use [`run_until_idle_timeout`] instead.
///
/// # Panics
/// When called by a destructor while the thread unwinds.
///
/// # Cancellation
/// What arrives inside is raised here, and nothing else happens.
#[doc(alias("gevent.wait", "Hub.join"))]
pub fn run_until_idle() {
    wait_in(&hub().resting().waiters, &"all others to rest", None);
}

/// As [`run_until_idle`], for at most `limit`; returns whether all others have come to rest.
///
/// ```
/// use greenlet::{run_until_idle_timeout, sleep, spawn};
/// use std::time::Duration;
/// let task = spawn(|| sleep(Duration::from_secs(60)));
/// assert!(!run_until_idle_timeout(Duration::from_millis(2)));
/// task.kill();
/// assert!(run_until_idle_timeout(Duration::from_secs(60)));
/// ```
///
/// # Panics
/// As [`run_until_idle`].
///
/// # Cancellation
/// As [`run_until_idle`].
pub fn run_until_idle_timeout(limit: Duration) -> bool {
    let resting = hub().resting();
    let until = moment(limit);
    let _limited = (until < u64::MAX).then(|| resting.limited());
    wait_in(&resting.waiters, &"all others to rest", Some(until))
}
