//! A number of permits that never grows.

use super::semaphore::{Permit, Semaphore, TooManyReleases};
use super::watch::{Waitable, Watched, Watchers};
use std::fmt;
use std::time::Duration;

/// A [`Semaphore`] that never has more permits than it began with: releasing one too many is an error.
///
/// ```
/// use greenlet::sync::BoundedSemaphore;
/// let semaphore = BoundedSemaphore::new(1);
/// semaphore.acquire().forget();
/// assert!(semaphore.release().is_ok());
/// let error = semaphore.release().unwrap_err();
/// assert_eq!(error.to_string(), "Semaphore released too many times");
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(greenlet::sync::BoundedSemaphore::new(1));
/// ```
pub struct BoundedSemaphore {
    semaphore: Semaphore,
}

impl BoundedSemaphore {
    /// A semaphore with `permits` permits, and never more.
    pub const fn new(permits: usize) -> BoundedSemaphore {
        BoundedSemaphore { semaphore: Semaphore::within(permits, permits) }
    }

    pub(super) fn inner(&self) -> &Semaphore {
        &self.semaphore
    }

    /// As [`Semaphore::acquire`].
    ///
    /// # Panics
    /// As [`Semaphore::acquire`].
    ///
    /// # Cancellation
    /// As [`Semaphore::acquire`].
    #[inline]
    pub fn acquire(&self) -> Permit<'_> {
        self.semaphore.acquire()
    }

    /// As [`Semaphore::try_acquire`].
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.semaphore.try_acquire()
    }

    /// As [`Semaphore::acquire_timeout`].
    ///
    /// # Panics
    /// As [`Semaphore::acquire`].
    ///
    /// # Cancellation
    /// As [`Semaphore::acquire`].
    pub fn acquire_timeout(&self, limit: Duration) -> Option<Permit<'_>> {
        self.semaphore.acquire_timeout(limit)
    }

    /// Gives a permit back that was [forgotten](Permit::forget); returns at once.
    ///
    /// # Errors
    /// [`TooManyReleases`], if it has all its permits; nothing happens then.
    pub fn release(&self) -> Result<(), TooManyReleases> {
        if self.semaphore.put_back() { Ok(()) } else { Err(TooManyReleases) }
    }

    /// As [`Semaphore::wait`].
    ///
    /// # Panics
    /// As [`Semaphore::acquire`].
    ///
    /// # Cancellation
    /// As [`Semaphore::wait`].
    pub fn wait(&self) {
        self.semaphore.wait();
    }

    /// As [`Semaphore::wait_timeout`].
    ///
    /// # Panics
    /// As [`Semaphore::acquire`].
    ///
    /// # Cancellation
    /// As [`Semaphore::wait`].
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        self.semaphore.wait_timeout(limit)
    }

    /// The number of permits that can be taken without waiting.
    pub fn available(&self) -> usize {
        self.semaphore.available()
    }

    /// The number of permits that it began with.
    #[doc(alias = "original_counter")]
    pub fn bound(&self) -> usize {
        self.semaphore.bound
    }

    /// Whether there is no permit.
    #[doc(alias = "locked")]
    pub fn is_exhausted(&self) -> bool {
        self.semaphore.is_exhausted()
    }

    /// How many greenlets wait for a permit. Walks the list of them.
    pub fn waiting(&self) -> usize {
        self.semaphore.waiting()
    }

    /// The permits that can be taken, at most [`isize::MAX`], minus the greenlets that wait for one.
    pub fn balance(&self) -> isize {
        self.semaphore.balance()
    }
}

/// Ready while it has a permit.
impl Waitable for BoundedSemaphore {
    fn is_ready(&self) -> bool {
        self.semaphore.is_ready()
    }
}

impl Watched for BoundedSemaphore {
    fn watchers(&self) -> Watchers<'_> {
        self.semaphore.watchers()
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedSemaphore")
            .field("available", &self.available())
            .field("bound", &self.bound())
            .field("waiting", &self.waiting())
            .finish()
    }
}
