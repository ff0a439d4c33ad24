//! A number of permits.

use super::park_in::{moment, take_in, wait_in};
use super::watch::{Waitable, Watched, Watchers};
use crate::hub::WaitList;
use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A number of permits; a greenlet that finds none waits until one is released.
///
/// A release hands its permit to the greenlet that has waited longest, so that none can overtake it.
/// [`wait`](crate::wait()) can wait for a semaphore beside other things: it is ready while it has a permit, and
/// waiting takes none.
///
/// ```
/// use greenlet::{join_all, sleep, spawn, sync::Semaphore};
/// use std::{rc::Rc, time::Duration};
/// let two_at_a_time = Rc::new(Semaphore::new(2));
/// join_all((0..4).map(|_| {
///     let limit = two_at_a_time.clone();
///     spawn(move || {
///         let _permit = limit.acquire();
///         sleep(Duration::from_millis(1));
///     })
/// })).join();
/// assert_eq!(two_at_a_time.available(), 2);
///
/// two_at_a_time.acquire().forget(); // without a guard
/// two_at_a_time.release();
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(greenlet::sync::Semaphore::new(1));
/// ```
/// ```compile_fail
/// fn share<T: Sync>(_: T) {}
/// share(greenlet::sync::Semaphore::new(1));
/// ```
#[doc(alias = "DummySemaphore")]
pub struct Semaphore {
    /// While there is one, nobody waits.
    available: Cell<usize>,
    pub(super) bound: usize,
    waiters: WaitList,
    /// Those who take nothing.
    watchers: WaitList,
}

impl Semaphore {
    /// A semaphore with `permits` permits.
    pub const fn new(permits: usize) -> Semaphore {
        Semaphore::within(permits, usize::MAX)
    }

    /// One that never has more than `bound` permits to give.
    pub(super) const fn within(permits: usize, bound: usize) -> Semaphore {
        Semaphore {
            available: Cell::new(permits),
            bound,
            waiters: WaitList::new(),
            watchers: WaitList::new(),
        }
    }

    /// Parks until there is a permit, and takes it until the guard is dropped.
    ///
    /// # Panics
    /// When it would have to wait while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it waits is raised here; if a permit was handed over in that moment, the
    /// next one gets it.
    #[inline]
    pub fn acquire(&self) -> Permit<'_> {
        if !self.take() {
            self.park(None);
        }
        Permit { semaphore: self }
    }

    /// Takes a permit if there is one; never waits.
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.take().then(|| Permit { semaphore: self })
    }

    /// As [`acquire`](Semaphore::acquire), for at most `limit`; `None` when the time is over.
    ///
    /// # Panics
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Cancellation
    /// As [`acquire`](Semaphore::acquire).
    pub fn acquire_timeout(&self, limit: Duration) -> Option<Permit<'_>> {
        let taken = self.take() || self.park(Some(moment(limit)));
        taken.then(|| Permit { semaphore: self })
    }

    /// Adds a permit: one that was [forgotten](Permit::forget), or a new one. Returns at once.
    #[inline]
    pub fn release(&self) {
        self.put_back();
    }

    /// Parks until there is a permit, but takes none: another greenlet may take it before the caller does.
    ///
    /// # Panics
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn wait(&self) {
        if self.available.get() == 0 {
            wait_in(&self.watchers, &"a semaphore", None);
        }
    }

    /// As [`wait`](Semaphore::wait), for at most `limit`; returns whether there was a permit.
    ///
    /// # Panics
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Cancellation
    /// As [`wait`](Semaphore::wait).
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        let until = || Some(moment(limit));
        self.available.get() > 0 || wait_in(&self.watchers, &"a semaphore", until())
    }

    /// The number of permits that can be taken without waiting.
    #[doc(alias = "counter")]
    pub fn available(&self) -> usize {
        self.available.get()
    }

    /// Whether there is no permit.
    #[doc(alias = "locked")]
    pub fn is_exhausted(&self) -> bool {
        self.available.get() == 0
    }

    /// How many greenlets wait for a permit. Walks the list of them.
    pub fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// The permits that can be taken, at most [`isize::MAX`], minus the greenlets that wait for one.
    pub fn balance(&self) -> isize {
        let available = isize::try_from(self.available.get()).unwrap_or(isize::MAX);
        available - self.waiters.len() as isize
    }

    #[inline]
    fn take(&self) -> bool {
        let available = self.available.get();
        if available > 0 {
            self.available.set(available - 1);
        }
        available > 0
    }

    #[inline(always)]
    fn park(&self, until: Option<u64>) -> bool {
        take_in(&self.waiters, 0, &"a semaphore", until, || self.release())
    }

    /// Hands a permit to the next, or keeps it; false if there would be too many.
    #[inline]
    pub(super) fn put_back(&self) -> bool {
        let available = self.available.get();
        if available >= self.bound {
            return false;
        }
        if !self.waiters.wake_one() {
            self.available.set(available + 1);
            self.watchers.wake_all();
        }
        true
    }
}

/// Ready while it has a permit.
impl Waitable for Semaphore {
    fn is_ready(&self) -> bool {
        self.available.get() > 0
    }
}

impl Watched for Semaphore {
    fn watchers(&self) -> Watchers<'_> {
        Watchers(&self.watchers)
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// A permit of a [`Semaphore`] or a
/// [`BoundedSemaphore`](super::BoundedSemaphore), which is released when this is dropped.
/// Dropping it never waits.
///
/// # Panics
/// If it is dropped when a [`BoundedSemaphore`](super::BoundedSemaphore) has all its permits already.
#[must_use = "the permit is released when it is dropped"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
}

impl Permit<'_> {
    /// The right to a permit that was taken and [forgotten](Permit::forget).
    pub(super) fn of(semaphore: &Semaphore) -> Permit<'_> {
        Permit { semaphore }
    }

    /// Drops the guard but keeps the permit taken, until `release` is called.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.semaphore.put_back() {
            released_too_often();
        }
    }
}

#[cold]
fn released_too_often() {
    assert!(std::thread::panicking(), "{TooManyReleases}");
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// The error of [`BoundedSemaphore::release`](super::BoundedSemaphore::release): it has all its permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyReleases;

/// The text of Python's error.
impl fmt::Display for TooManyReleases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Semaphore released too many times")
    }
}

impl Error for TooManyReleases {}
