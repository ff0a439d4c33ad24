//! Waiting until so many have come.

use super::park_in::{moment, park_in};
use crate::hub::WaitList;
use std::cell::Cell;
use std::fmt;
use std::time::Duration;

/// Lets a number of greenlets wait for one another: all go on once the last of them has come. After that
/// it can be used again.
///
/// A greenlet that is interrupted while it waits does not count: the others wait for another one.
///
/// ```
/// use greenlet::{spawn, sync::Barrier};
/// use std::rc::Rc;
/// let barrier = Rc::new(Barrier::new(2));
/// let other = spawn({
///     let barrier = barrier.clone();
///     move || barrier.wait().is_leader()
/// });
/// let leads = barrier.wait().is_leader();
/// assert_ne!(leads, other.join().unwrap());
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(greenlet::sync::Barrier::new(2));
/// ```
pub struct Barrier {
    size: usize,
    arrived: Cell<usize>,
    waiters: WaitList,
}

impl Barrier {
    /// A barrier for `size` greenlets. With 0 or 1, nobody waits.
    pub const fn new(size: usize) -> Barrier {
        Barrier { size, arrived: Cell::new(0), waiters: WaitList::new() }
    }

    /// Parks until as many greenlets have come as the barrier is for. The last one does not park; it is the
    /// [leader](BarrierWaitResult::is_leader).
    ///
    /// # Panics
    /// When it would have to wait while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives before the last one has come is raised here, and the caller counts as not having
    /// come; what arrives later is raised at the next wait.
    pub fn wait(&self) -> BarrierWaitResult {
        match self.wait_until(|| None) {
            Some(result) => result,
            None => unreachable!("without a limit, it ends when the last one comes"),
        }
    }

    /// As [`wait`](Barrier::wait), for at most `limit`; `None` when the time is over.
    ///
    /// # Panics
    /// As [`wait`](Barrier::wait).
    ///
    /// # Cancellation
    /// As [`wait`](Barrier::wait).
    pub fn wait_timeout(&self, limit: Duration) -> Option<BarrierWaitResult> {
        self.wait_until(|| Some(moment(limit)))
    }

    fn wait_until(&self, until: impl FnOnce() -> Option<u64>) -> Option<BarrierWaitResult> {
        if self.arrived.get() + 1 >= self.size {
            self.arrived.set(0);
            self.waiters.wake_all();
            return Some(BarrierWaitResult { leads: true });
        }
        let until = until();
        let arrival = Arrival::of(&self.arrived);
        let parked = park_in(&self.waiters, &"a barrier", until);
        match parked {
            Ok(true) => arrival.counts(),
            Ok(false) => drop(arrival),
            Err(interrupted) => {
                drop(arrival);
                interrupted.raise();
            }
        }
        matches!(parked, Ok(true)).then_some(BarrierWaitResult { leads: false })
    }

    /// How many greenlets it is for.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many greenlets wait.
    pub fn waiting(&self) -> usize {
        self.arrived.get()
    }
}

/// One who has come, and is taken back unless it counts.
struct Arrival<'a>(&'a Cell<usize>);

impl Arrival<'_> {
    fn of(arrived: &Cell<usize>) -> Arrival<'_> {
        arrived.set(arrived.get() + 1);
        Arrival(arrived)
    }

    fn counts(self) {
        std::mem::forget(self);
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("size", &self.size)
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// What [`Barrier::wait`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarrierWaitResult {
    leads: bool,
}

impl BarrierWaitResult {
    /// Whether this greenlet was the last to come. Exactly one is.
    pub fn is_leader(&self) -> bool {
        self.leads
    }
}
