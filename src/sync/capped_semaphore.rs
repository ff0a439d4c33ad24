//! A semaphore that is full some time.

use super::park_in::{moment, wait_in};
use crate::hub::WaitList;
use std::cell::Cell;
use std::fmt;
use std::time::Duration;

/// A number of permits between 0 and a limit, as eventlet's `CappedSemaphore`: `acquire` waits while it is 0,
/// `release` waits while it is at the limit.
///
/// Both are served in the order of their calls. With a limit of 0, each release waits for an `acquire`. There are
/// no guards, because dropping one might have to wait.
///
/// ```
/// use greenlet::{spawn, sync::CappedSemaphore, yield_now};
/// use std::rc::Rc;
/// let full = Rc::new(CappedSemaphore::new(2, 2));
/// let release = spawn({
///     let full = full.clone();
///     move || full.release()
/// });
/// yield_now();
/// assert!(!release.is_finished()); // there are two already
/// full.acquire();
/// release.join().unwrap();
/// assert_eq!(full.available(), 2);
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(greenlet::sync::CappedSemaphore::new(0, 1));
/// ```
pub struct CappedSemaphore {
    available: Cell<usize>,
    limit: usize,
    acquirers: WaitList,
    releasers: WaitList,
}

impl CappedSemaphore {
    /// A semaphore with `available` permits, and at most `limit`.
    ///
    /// # Panics
    /// If `available` is more than `limit`.
    pub const fn new(available: usize, limit: usize) -> CappedSemaphore {
        assert!(available <= limit, "count cannot be more than limit");
        CappedSemaphore {
            available: Cell::new(available),
            limit,
            acquirers: WaitList::new(),
            releasers: WaitList::new(),
        }
    }

    /// Parks until there is a permit, and takes it.
    ///
    /// # Panics
    /// When it would have to wait while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it waits is raised here, and nothing was taken. If a permit was handed over before,
    /// this returns, and what arrives is raised at the next wait.
    pub fn acquire(&self) {
        if !self.try_acquire() {
            self.park_in(&self.acquirers, None);
        }
    }

    /// Takes a permit if that needs no waiting; returns whether it did.
    pub fn try_acquire(&self) -> bool {
        if self.available.get() == 0 {
            return self.releasers.wake_one(); // only with a limit of 0
        }
        // A release that waits takes the place at once.
        if !self.releasers.wake_one() {
            self.available.set(self.available.get() - 1);
        }
        true
    }

    /// As [`acquire`](CappedSemaphore::acquire), for at most `limit`; returns whether it did.
    ///
    /// # Panics
    /// As [`acquire`](CappedSemaphore::acquire).
    ///
    /// # Cancellation
    /// As [`acquire`](CappedSemaphore::acquire).
    pub fn acquire_timeout(&self, limit: Duration) -> bool {
        self.try_acquire() || self.park_in(&self.acquirers, Some(moment(limit)))
    }

    /// Parks until there is room for a permit, and adds it; if a greenlet waits in an `acquire`, the one that
    /// waits longest gets it.
    ///
    /// # Panics
    /// As [`acquire`](CappedSemaphore::acquire).
    ///
    /// # Cancellation
    /// What arrives while it waits is raised here, and nothing was added. If the permit was added before, this
    /// returns, and what arrives is raised at the next wait.
    pub fn release(&self) {
        if !self.try_release() {
            self.park_in(&self.releasers, None);
        }
    }

    /// Adds a permit if that needs no waiting; returns whether it did.
    pub fn try_release(&self) -> bool {
        if self.acquirers.wake_one() {
            return true;
        }
        let has_room = self.available.get() < self.limit;
        if has_room {
            self.available.set(self.available.get() + 1);
        }
        has_room
    }

    /// As [`release`](CappedSemaphore::release), for at most `limit`; returns whether it did.
    ///
    /// # Panics
    /// As [`acquire`](CappedSemaphore::acquire).
    ///
    /// # Cancellation
    /// As [`release`](CappedSemaphore::release).
    pub fn release_timeout(&self, limit: Duration) -> bool {
        self.try_release() || self.park_in(&self.releasers, Some(moment(limit)))
    }

    fn park_in(&self, list: &WaitList, until: Option<u64>) -> bool {
        wait_in(list, &"a capped semaphore", until)
    }

    /// The number of permits that can be taken without waiting.
    pub fn available(&self) -> usize {
        self.available.get()
    }

    /// The largest number of permits that it can have.
    #[doc(alias = "upper_bound")]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether an `acquire` would wait.
    #[doc(alias = "locked")]
    pub fn is_exhausted(&self) -> bool {
        self.available.get() == 0 && self.releasers.is_empty()
    }

    /// Whether a `release` would wait.
    #[doc(alias = "bounded")]
    pub fn is_full(&self) -> bool {
        self.available.get() >= self.limit && self.acquirers.is_empty()
    }

    /// The number of permits, minus the greenlets that wait in `acquire`, plus those that wait in `release`; at
    /// most [`isize::MAX`].
    pub fn balance(&self) -> isize {
        let (acquirers, releasers) = (self.acquirers.len() as isize, self.releasers.len() as isize);
        let available = isize::try_from(self.available.get()).unwrap_or(isize::MAX);
        available.saturating_add(releasers - acquirers)
    }
}

impl fmt::Debug for CappedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CappedSemaphore")
            .field("available", &self.available())
            .field("limit", &self.limit)
            .field("acquirers", &self.acquirers.len())
            .field("releasers", &self.releasers.len())
            .finish()
    }
}
