//! Permits that own their semaphore.

use super::bounded_semaphore::BoundedSemaphore;
use super::semaphore::{Permit, Semaphore};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// As a [`Permit`], but it borrows nothing: it can be moved into a task, and is released wherever that ends.
/// Made by [`Semaphore::acquire_owned`] and [`BoundedSemaphore::acquire_owned`]. Dropping it never waits.
///
/// # Panics
/// As a [`Permit`].
#[must_use = "the permit is released when it is dropped"]
pub struct OwnedPermit {
    /// None when it was forgotten.
    semaphore: Option<Rc<dyn Permits>>,
}

/// What gives permits.
trait Permits {
    fn semaphore(&self) -> &Semaphore;
}

impl Permits for Semaphore {
    fn semaphore(&self) -> &Semaphore {
        self
    }
}

impl Permits for BoundedSemaphore {
    fn semaphore(&self) -> &Semaphore {
        self.inner()
    }
}

impl OwnedPermit {
    /// Makes an owner of who has borrowed: of `semaphore`.
    fn of(permit: Permit<'_>, semaphore: Rc<dyn Permits>) -> OwnedPermit {
        permit.forget();
        OwnedPermit { semaphore: Some(semaphore) }
    }

    /// Keeps the permit taken until somebody calls `release`.
    pub fn forget(mut self) {
        self.semaphore = None;
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        if let Some(semaphore) = self.semaphore.take() {
            drop(Permit::of(semaphore.semaphore()));
        }
    }
}

impl fmt::Debug for OwnedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnedPermit")
    }
}

impl Semaphore {
    /// As [`acquire`](Semaphore::acquire), but the permit owns a reference to the semaphore: acquire it before
    /// spawning a task, and move it into the task.
    ///
    /// ```
    /// use greenlet::{sleep, spawn_detached, sync::Semaphore};
    /// use std::{rc::Rc, time::Duration};
    /// let limit = Rc::new(Semaphore::new(2));
    /// for _ in 0..4 {
    ///     let permit = limit.acquire_owned(); // never more than two tasks at a time
    ///     spawn_detached(move || {
    ///         sleep(Duration::from_millis(1));
    ///         drop(permit);
    ///     });
    /// }
    /// ```
    ///
    /// # Panics
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Cancellation
    /// As [`acquire`](Semaphore::acquire).
    pub fn acquire_owned(self: &Rc<Self>) -> OwnedPermit {
        OwnedPermit::of(self.acquire(), self.clone())
    }

    /// Takes a permit that borrows nothing if there is one; never waits.
    pub fn try_acquire_owned(self: &Rc<Self>) -> Option<OwnedPermit> {
        self.try_acquire().map(|permit| OwnedPermit::of(permit, self.clone()))
    }

    /// As [`acquire_owned`](Semaphore::acquire_owned), for at most `limit`; `None` when the time is over.
    ///
    /// # Panics
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Cancellation
    /// As [`acquire`](Semaphore::acquire).
    pub fn acquire_owned_timeout(self: &Rc<Self>, limit: Duration) -> Option<OwnedPermit> {
        self.acquire_timeout(limit).map(|permit| OwnedPermit::of(permit, self.clone()))
    }
}

impl BoundedSemaphore {
    /// As [`Semaphore::acquire_owned`].
    ///
    /// # Panics
    /// As [`Semaphore::acquire`].
    ///
    /// # Cancellation
    /// As [`Semaphore::acquire`].
    pub fn acquire_owned(self: &Rc<Self>) -> OwnedPermit {
        OwnedPermit::of(self.acquire(), self.clone())
    }

    /// As [`Semaphore::try_acquire_owned`].
    pub fn try_acquire_owned(self: &Rc<Self>) -> Option<OwnedPermit> {
        self.try_acquire().map(|permit| OwnedPermit::of(permit, self.clone()))
    }

    /// As [`Semaphore::acquire_owned_timeout`].
    ///
    /// # Panics
    /// As [`Semaphore::acquire`].
    ///
    /// # Cancellation
    /// As [`Semaphore::acquire`].
    pub fn acquire_owned_timeout(self: &Rc<Self>, limit: Duration) -> Option<OwnedPermit> {
        self.acquire_timeout(limit).map(|permit| OwnedPermit::of(permit, self.clone()))
    }
}
