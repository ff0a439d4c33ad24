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
/// A wait releases the mutex and takes it again before it ends, in whatever way: a kill, too, is raised
/// with the mutex held, so that destructors find what they expect. Notifications reach greenlets in the order
/// in which they began to wait; one that reaches a greenlet that is interrupted goes to the next. The names are
/// those of std; the guard is borrowed, as in `parking_lot`.
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
    /// How often one was to be notified, and nobody waited.
    unheard: Cell<u64>,
}

impl Condvar {
    /// A condition variable that no greenlet waits for.
    pub const fn new() -> Condvar {
        Condvar { waiters: WaitList::new(), broadcasts: Cell::new(0), unheard: Cell::new(0) }
    }

    /// Releases the mutex, parks until a notification comes, and takes the mutex again.
    ///
    /// There are no spurious wake-ups. But the value may have changed once more before the mutex was taken
    /// again: prefer [`wait_while`](Condvar::wait_while).
    ///
    /// # Panics
    /// While the thread unwinds. A deadlock in which whoever holds the mutex never gives it back ends the
    /// process, as the guard cannot be returned without it.
    ///
    /// # Cancellation
    /// What arrives inside is raised here once the mutex is taken again; a notification that had come goes to
    /// the next greenlet.
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        self.wait_until(guard.held(), None);
    }

    /// As [`wait`](Condvar::wait), for at most `limit`, without the time that taking the mutex again needs.
    /// Returns whether a notification came.
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

    /// [Waits](Condvar::wait) until `condition` returns false. It is called with the mutex held, the first time
    /// at once.
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

    /// As [`wait_while`](Condvar::wait_while), for at most `limit`; returns whether `condition` returned false.
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
        loop {
            let broadcasts = self.broadcasts.get();
            lock.release();
            let parked = park_in(&self.waiters, &"a condition", until);
            let notified = self.notified();
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
                Err(_) => {
                    raise_pending(|| ());
                    // It was a limit, which somebody has cancelled since.
                    if self.notified() == notified {
                        continue;
                    }
                }
            }
            return !matches!(parked, Ok(false));
        }
    }

    /// How often somebody was notified who might have been one that was in no list just then.
    fn notified(&self) -> (u64, u64) {
        (self.broadcasts.get(), self.unheard.get())
    }

    /// Wakes the greenlet that has waited longest; returns at once, with false if none waits.
    #[doc(alias = "notify")]
    pub fn notify_one(&self) -> bool {
        let is_heard = self.waiters.wake_one();
        if !is_heard {
            self.unheard.set(self.unheard.get() + 1);
        }
        is_heard
    }

    /// Wakes all greenlets that wait; returns at once. They get the mutex one after the other.
    pub fn notify_all(&self) {
        self.broadcasts.set(self.broadcasts.get() + 1);
        self.waiters.wake_all();
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").field("waiting", &self.waiters.len()).finish()
    }
}
