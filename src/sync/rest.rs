//! Waiting until everybody else has come to rest.

use super::park_in::{moment, wait_in};
use crate::hub::hub;
use std::time::Duration;

/// Parks until nothing can happen any more on this thread: all tasks have ended, or wait for what only
/// the current greenlet, or nobody, could bring.
///
/// gevent's `wait()` without objects. Whoever waits for the kernel (to accept connections, say), for the
/// clock or for another thread goes on some day, and keeps this from returning; so does a
/// [`HubHandle`](crate::HubHandle), by which other threads may bring something. Tasks that wait for one
/// another for ever do not: no [`Deadlock`](crate::Deadlock) is raised while somebody is in here.
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
/// A [`timeout`](crate::timeout) around it is something that will happen: it returns only when that has
/// passed. To wait no longer than so long there is [`run_until_idle_timeout`].
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
