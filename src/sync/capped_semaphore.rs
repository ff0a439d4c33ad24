//! A semaphore that is full some time.

use super::park_in::{moment, wait_in};
use crate::hub::WaitList;
use std::cell::Cell;
use std::fmt;
use std::time::Duration;

/// eventlet's `CappedSemaphore`: a number between 0 and a limit. To acquire waits while it is 0, to
/// release waits while it has reached the limit.
///
/// Both are served in their order. With a limit of 0, each release waits for an acquirer. There are
/// no guards, for to drop one would have to wait.
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
    /// One that can be acquired `available` times, and has room for `limit`.
    ///
    /// # Panics
    /// When `available` is more than `limit`.
    pub const fn new(available: usize, limit: usize) -> CappedSemaphore {
        assert!(available <= limit, "count cannot be more than limit");
        CappedSemaphore {
            available: Cell::new(available),
            limit,
            acquirers: WaitList::new(),
            releasers: WaitList::new(),
        }
    }

    /// Parks until it can be acquired.
    ///
    /// # Panics
    /// When it would have to wait while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it waits is raised here, and nothing was acquired. Once it is, this returns,
    /// and what arrives is raised at the next wait.
    pub fn acquire(&self) {
        if !self.try_acquire() {
            self.park_in(&self.acquirers, None);
        }
    }

    /// Acquires it if that needs no waiting; returns whether it did.
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

    /// Parks until there is room, and makes it available once more; hands it to the acquirer that has
    /// waited longest, if one waits.
    ///
    /// # Panics
    /// As [`acquire`](CappedSemaphore::acquire).
    ///
    /// # Cancellation
    /// What arrives while it waits is raised here, and nothing was released. Once it is, this returns,
    /// and what arrives is raised at the next wait.
    pub fn release(&self) {
        if !self.try_release() {
            self.park_in(&self.releasers, None);
        }
    }

    /// Releases it if that needs no waiting; returns whether it did.
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

    /// How often it can be acquired without waiting.
    pub fn available(&self) -> usize {
        self.available.get()
    }

    /// How often it can be available at most.
    #[doc(alias = "upper_bound")]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Would an acquire wait?
    #[doc(alias = "locked")]
    pub fn is_exhausted(&self) -> bool {
        self.available.get() == 0 && self.releasers.is_empty()
    }

    /// Would a release wait?
    #[doc(alias = "bounded")]
    pub fn is_full(&self) -> bool {
        self.available.get() >= self.limit && self.acquirers.is_empty()
    }

    /// How often it is available, less those who wait to acquire it, and those who wait to release
    /// it added.
    pub fn balance(&self) -> isize {
        let (acquirers, releasers) = (self.acquirers.len() as isize, self.releasers.len() as isize);
        self.available.get() as isize + releasers - acquirers
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
