//! A flag to wait for.

use super::park_in::{moment, wait_in};
use super::watch::{Waitable, Watched, Watchers};
use crate::hub::{WaitList, hub};
use std::cell::Cell;
use std::fmt;
use std::time::Duration;

/// A flag that greenlets wait for until it is set.
///
/// [`set`](Event::set) wakes all greenlets that wait; they run, in the order in which they came, when the
/// current one waits next. A wait succeeds if the flag was set during it, even if it was cleared again before
/// the greenlet ran. [`wait`](crate::wait()) can wait for an event beside other things.
///
/// ```
/// use greenlet::{spawn, sync::Event};
/// use std::rc::Rc;
/// let event = Rc::new(Event::new());
/// let waiter = spawn({
///     let event = event.clone();
///     move || { event.wait(); "it has happened" }
/// });
/// event.set();
/// assert_eq!(waiter.join().unwrap(), "it has happened");
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(greenlet::sync::Event::new());
/// ```
/// ```compile_fail
/// fn share<T: Sync>(_: T) {}
/// share(greenlet::sync::Event::new());
/// ```
#[derive(Default)]
pub struct Event {
    is_set: Cell<bool>,
    /// Those inside a wait, woken ones that have not run yet included.
    waiting: Cell<usize>,
    waiters: WaitList,
}

impl Event {
    /// An event that is not set.
    pub const fn new() -> Event {
        Event { is_set: Cell::new(false), waiting: Cell::new(0), waiters: WaitList::new() }
    }

    /// Sets the flag and wakes all greenlets that wait; returns at once.
    pub fn set(&self) {
        self.is_set.set(true);
        self.waiters.wake_all();
    }

    /// Clears the flag; returns at once. Greenlets that were woken go on nevertheless.
    pub fn clear(&self) {
        self.is_set.set(false);
    }

    /// Whether the flag is set.
    #[doc(alias("isSet", "ready"))]
    pub fn is_set(&self) -> bool {
        self.is_set.get()
    }

    /// Parks until the flag is set. If it is set, returns at once, unless greenlets that it has woken have not
    /// run yet: they go first.
    ///
    /// # Panics
    /// When it would have to wait while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens; once the flag was set, it is
    /// raised at the next wait.
    pub fn wait(&self) {
        if !self.is_set_in_turn() {
            self.park(None);
        }
    }

    /// As [`wait`](Event::wait), for at most `limit`; returns whether the flag was set.
    ///
    /// # Panics
    /// As [`wait`](Event::wait).
    ///
    /// # Cancellation
    /// As [`wait`](Event::wait).
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        self.is_set_in_turn() || self.park(Some(moment(limit)))
    }

    /// Is it set? Those who were woken by that go first.
    fn is_set_in_turn(&self) -> bool {
        let is_set = self.is_set.get();
        if is_set && self.waiting.get() > 0 {
            hub().yield_now();
        }
        is_set
    }

    #[inline(always)]
    fn park(&self, until: Option<u64>) -> bool {
        struct Inside<'a>(&'a Cell<usize>);
        impl Drop for Inside<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        self.waiting.set(self.waiting.get() + 1);
        let _inside = Inside(&self.waiting);
        wait_in(&self.waiters, &"an event", until)
    }
}

/// Ready while it is set.
impl Waitable for Event {
    fn is_ready(&self) -> bool {
        self.is_set.get()
    }
}

impl Watched for Event {
    fn watchers(&self) -> Watchers<'_> {
        Watchers(&self.waiters)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_set = self.is_set.get();
        f.debug_struct("Event").field("is_set", &is_set).finish_non_exhaustive()
    }
}
