//! Waiting until a count is down to zero.

use super::park_in::{moment, wait_in};
use super::watch::{Waitable, Watched, Watchers};
use crate::hub::WaitList;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// A count of what is still to be done; greenlets can wait until it is 0. As Go's `WaitGroup` and eventlet's
/// metaphore.
///
/// ```
/// use greenlet::sync::WaitGroup;
/// use std::rc::Rc;
/// let group = Rc::new(WaitGroup::new());
/// for _ in 0..3 {
///     let entered = group.enter_owned();
///     greenlet::spawn_detached(move || drop(entered));
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
    /// If the count would be more than a `usize` can hold.
    pub fn add(&self, by: usize) {
        let Some(count) = self.count.get().checked_add(by) else {
            panic!("a wait group cannot count that far: its count is {}", self.count.get())
        };
        self.count.set(count);
    }

    /// Subtracts 1 from the count, and wakes all greenlets that wait if it is 0 then; returns at once.
    ///
    /// # Panics
    /// If the count is 0.
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

    /// Adds 1 to the count until the guard is dropped, which a panic or a kill does too.
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

    /// As [`enter`](WaitGroup::enter), but the guard owns a reference to the group, so it can be moved into a
    /// task. The count goes down when the task ends, even if it never began.
    ///
    /// # Panics
    /// As [`add`](WaitGroup::add).
    pub fn enter_owned(self: &Rc<Self>) -> OwnedEntered {
        self.inc();
        OwnedEntered { group: self.clone() }
    }

    /// The count.
    pub fn count(&self) -> usize {
        self.count.get()
    }

    /// Parks until the count is 0; returns at once if it is. It may have grown again before this returns.
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

    /// A guard goes. Where somebody has taken its 1 away already, that is no second panic while another one unwinds.
    fn leave(&self) {
        if self.count.get() > 0 || !std::thread::panicking() {
            self.dec();
        }
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

/// Stands for 1 in the count of a [`WaitGroup`], until it is dropped.
///
/// # Panics
/// Its drop panics if the count is 0 already, unless the thread unwinds.
#[must_use = "the count goes down when this is dropped"]
#[derive(Debug)]
pub struct Entered<'a> {
    group: &'a WaitGroup,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.group.leave();
    }
}

/// As [`Entered`], but owns a reference to its group. Made by [`WaitGroup::enter_owned`].
#[must_use = "the count goes down when this is dropped"]
#[derive(Debug)]
pub struct OwnedEntered {
    group: Rc<WaitGroup>,
}

impl Drop for OwnedEntered {
    fn drop(&mut self) {
        self.group.leave();
    }
}
