//! Waiting for a change of what a mutex protects.

use super::lock::Lock;
use super::mutex::MutexGuard;
use super::park_in::{assert_others_can_run, moment, park_in, raise_pending};
use crate::hub::{WaitList, hub, shield};
use std::cell::Cell;
use std::fmt;
use std::time::Duration;

/// Lets a greenlet that holds a [`Mutex`](super::Mutex) wait until another one changes what it
/// protects.
///
/// A wait gives the mutex up, and has it again when it ends, in whatever way: also a kill is raised
/// with the mutex held, so that destructors find what they expect. Notifications reach those who
/// wait in the order in which they came; one that reaches a greenlet which is to end goes on to the
/// next. The names are std's, the guard is lent as in `parking_lot`.
///
/// ```
/// use greenlet::{spawn, sync::{Condvar, Mutex}};
/// use std::rc::Rc;
/// let shared = Rc::new((Mutex::new(Vec::new()), Condvar::new()));
/// let consumer = spawn({
///     let shared = shared.clone();
///     move || {
///         let mut items = shared.0.lock();
///         shared.1.wait_while(&mut items, |items| items.is_empty());
///         items.remove(0)
///     }
/// });
/// shared.0.lock().push("item");
/// shared.1.notify_one();
/// assert_eq!(consumer.join().unwrap(), "item");
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(greenlet::sync::Condvar::new());
/// ```
#[doc(alias = "Condition")]
#[derive(Default)]
pub struct Condvar {
    waiters: WaitList,
    /// How often all were notified.
    broadcasts: Cell<u64>,
}

impl Condvar {
    /// One that nobody waits for.
    pub const fn new() -> Condvar {
        Condvar { waiters: WaitList::new(), broadcasts: Cell::new(0) }
    }

    /// Gives the mutex up, parks until somebody notifies, and parks until the mutex is the caller's
    /// again.
    ///
    /// Never ends without cause; what was waited for may have changed again when the mutex is
    /// back, so [`wait_while`](Condvar::wait_while) is the better way.
    ///
    /// # Panics
    /// While the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here once the mutex is the caller's again; a notification that
    /// had come goes to the next.
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        self.wait_until(guard.held(), None);
    }

    /// As [`wait`](Condvar::wait), for at most `limit` (the mutex may take longer to come back);
    /// returns whether somebody has notified.
    ///
    /// # Panics
    /// As [`wait`](Condvar::wait).
    ///
    /// # Cancellation
    /// As [`wait`](Condvar::wait).
    #[doc(alias = "wait_for")]
    pub fn wait_timeout<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, limit: Duration) -> bool {
        self.wait_until(guard.held(), Some(moment(limit)))
    }

    /// [Waits](Condvar::wait) while `condition` is true; it is asked with the mutex held, first at
    /// once.
    ///
    /// # Panics
    /// As [`wait`](Condvar::wait), and as `condition` does.
    ///
    /// # Cancellation
    /// As [`wait`](Condvar::wait).
    pub fn wait_while<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) {
        while condition(guard) {
            self.wait_until(guard.held(), None);
        }
    }

    /// As [`wait_while`](Condvar::wait_while), for at most `limit`; returns whether `condition` is
    /// false at last.
    ///
    /// # Panics
    /// As [`wait_while`](Condvar::wait_while).
    ///
    /// # Cancellation
    /// As [`wait`](Condvar::wait).
    pub fn wait_timeout_while<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        limit: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> bool {
        let until = moment(limit);
        while condition(guard) {
            if !self.wait_until(guard.held(), Some(until)) {
                return !condition(guard);
            }
        }
        true
    }

    fn wait_until(&self, lock: &Lock, until: Option<u64>) -> bool {
        // Between release and re-acquisition nothing may unwind: the guard is still there.
        assert_others_can_run(hub(), "a condition");
        let broadcasts = self.broadcasts.get();
        lock.release();
        let parked = park_in(&self.waiters, &"a condition", until);
        shield(|| {
            if !lock.try_acquire() {
                lock.wait(None);
            }
        });
        match parked {
            Ok(true) => raise_pending(|| {
                // A notification for all was for those who waited then.
                if self.broadcasts.get() == broadcasts {
                    self.notify_one();
                }
            }),
            Ok(false) => raise_pending(|| ()),
            Err(interrupted) => interrupted.raise(),
        }
        matches!(parked, Ok(true))
    }

    /// Wakes the greenlet that has waited longest, if one waits; returns at once. True if one does.
    #[doc(alias = "notify")]
    pub fn notify_one(&self) -> bool {
        self.waiters.wake_one()
    }

    /// Wakes all who wait; returns at once. They get the mutex one after the other.
    pub fn notify_all(&self) {
        self.broadcasts.set(self.broadcasts.get() + 1);
        self.waiters.wake_all();
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").field("waiters", &self.waiters.len()).finish()
    }
}
