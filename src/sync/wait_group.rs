//! Waiting until a count is down to zero.

use super::park_in::{moment, wait_in};
use super::watch::{Waitable, Watched, Watchers};
use crate::hub::WaitList;
use std::cell::Cell;
use std::fmt;
use std::time::Duration;

/// A count of what is still to be done; greenlets wait until it is 0. Go's `WaitGroup`, eventlet's
/// metaphore.
///
/// ```
/// use greenlet::{spawn, sync::WaitGroup};
/// use std::rc::Rc;
/// let group = Rc::new(WaitGroup::new());
/// for _ in 0..3 {
///     group.inc();
///     let group = group.clone();
///     greenlet::spawn_detached(move || group.dec());
/// }
/// group.wait();
/// assert_eq!(group.count(), 0);
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(greenlet::sync::WaitGroup::new());
/// ```
#[doc(alias = "metaphore")]
#[derive(Default)]
pub struct WaitGroup {
    count: Cell<usize>,
    waiters: WaitList,
}

impl WaitGroup {
    /// A group with a count of 0.
    pub const fn new() -> WaitGroup {
        WaitGroup { count: Cell::new(0), waiters: WaitList::new() }
    }

    /// Adds 1 to the count.
    ///
    /// # Panics
    /// As [`add`](WaitGroup::add).
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `by` to the count.
    ///
    /// # Panics
    /// When the count would be more than a `usize` can hold.
    pub fn add(&self, by: usize) {
        let Some(count) = self.count.get().checked_add(by) else {
            panic!("a wait group cannot count that far: its count is {}", self.count.get())
        };
        self.count.set(count);
    }

    /// Takes 1 from the count, and wakes all who wait if that was the last; returns at once.
    ///
    /// # Panics
    /// When the count is 0.
    #[doc(alias = "done")]
    pub fn dec(&self) {
        let Some(left) = self.count.get().checked_sub(1) else {
            panic!("a wait group with a count of 0 cannot be decremented: call `inc` before")
        };
        self.count.set(left);
        if left == 0 {
            self.waiters.wake_all();
        }
    }

    /// Adds 1 to the count until the guard is dropped, also by a panic or a kill.
    ///
    /// ```
    /// let group = greenlet::sync::WaitGroup::new();
    /// let entered = group.enter();
    /// assert_eq!(group.count(), 1);
    /// drop(entered);
    /// group.wait();
    /// ```
    pub fn enter(&self) -> Entered<'_> {
        self.inc();
        Entered { group: self }
    }

    /// The count.
    pub fn count(&self) -> usize {
        self.count.get()
    }

    /// Parks until the count is 0; returns at once if it is. It may have grown again since.
    ///
    /// # Panics
    /// When it would have to wait while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens; once the count was 0, it is
    /// raised at the next wait.
    pub fn wait(&self) {
        if self.count.get() > 0 {
            self.park(None);
        }
    }

    /// As [`wait`](WaitGroup::wait), for at most `limit`; returns whether the count was 0.
    ///
    /// # Panics
    /// As [`wait`](WaitGroup::wait).
    ///
    /// # Cancellation
    /// As [`wait`](WaitGroup::wait).
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        self.count.get() == 0 || self.park(Some(moment(limit)))
    }

    fn park(&self, until: Option<u64>) -> bool {
        wait_in(&self.waiters, &"a wait group", until)
    }
}

/// Ready while the count is 0.
impl Waitable for WaitGroup {
    fn is_ready(&self) -> bool {
        self.count.get() == 0
    }
}

impl Watched for WaitGroup {
    fn watchers(&self) -> Watchers<'_> {
        Watchers(&self.waiters)
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count.get();
        f.debug_struct("WaitGroup").field("count", &count).finish_non_exhaustive()
    }
}

/// One in the count of a [`WaitGroup`], until it is dropped.
#[must_use = "the count goes down when this is dropped"]
#[derive(Debug)]
pub struct Entered<'a> {
    group: &'a WaitGroup,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.group.dec();
    }
}
