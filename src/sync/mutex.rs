//! Mutual exclusion, handed over in order.
#![expect(unsafe_code, reason = "lends what the lock protects")]

use super::lock::Lock;
use super::park_in::moment;
use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// A value that one greenlet at a time may use, also while that one waits.
///
/// A release hands the mutex to the greenlet that has waited longest, so that none can overtake it. It is
/// for the greenlets of one thread; if nothing waits while it is held, a [`RefCell`](std::cell::RefCell) does
/// as well. Taking a free mutex is a test and a store.
///
/// As in `parking_lot` there is no poisoning: a panic while it is held just releases it. A greenlet that locks
/// it again while it holds it waits for ever; [`ReentrantMutex`](super::ReentrantMutex) allows that.
///
/// ```
/// use greenlet::{spawn, sync::Mutex, yield_now};
/// use std::rc::Rc;
/// let counter = Rc::new(Mutex::new(0));
/// let tasks: Vec<_> = (0..3).map(|_| {
///     let counter = counter.clone();
///     spawn(move || {
///         let mut guard = counter.lock();
///         let seen = *guard;
///         yield_now(); // the others run, and wait
///         *guard = seen + 1;
///     })
/// }).collect();
/// greenlet::join_all(tasks).join();
/// assert_eq!(*counter.lock(), 3);
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(greenlet::sync::Mutex::new(0));
/// ```
/// ```compile_fail
/// fn share<T: Sync>(_: T) {}
/// share(greenlet::sync::Mutex::new(0));
/// ```
#[doc(alias("Lock", "allocate_lock"))]
#[derive(Default)]
pub struct Mutex<T: ?Sized> {
    lock: Lock,
    value: UnsafeCell<T>,
}

impl<T> Mutex<T> {
    /// A free mutex around `value`.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex { lock: Lock::new(), value: UnsafeCell::new(value) }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Parks until the mutex is free, and takes it.
    ///
    /// # Panics
    /// When it would have to wait while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it waits is raised here; if the mutex was handed over in that moment, the
    /// next one gets it.
    #[doc(alias = "acquire")]
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        if !self.lock.try_acquire() {
            self.lock.wait(None);
        }
        MutexGuard { mutex: self }
    }

    /// Takes the mutex if it is free; never waits.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.lock.try_acquire().then(|| MutexGuard { mutex: self })
    }

    /// As [`lock`](Mutex::lock), for at most `limit`; `None` when the time is over.
    ///
    /// # Panics
    /// As [`lock`](Mutex::lock).
    ///
    /// # Cancellation
    /// As [`lock`](Mutex::lock).
    pub fn lock_timeout(&self, limit: Duration) -> Option<MutexGuard<'_, T>> {
        let locked = self.lock.try_acquire() || self.lock.wait(Some(moment(limit)));
        locked.then(|| MutexGuard { mutex: self })
    }

    /// Whether it is held.
    #[doc(alias = "locked")]
    pub fn is_locked(&self) -> bool {
        self.lock.is_held()
    }

    /// The value. The exclusive borrow shows that the mutex is not held.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(guard) => f.debug_struct("Mutex").field("value", &&*guard).finish(),
            None => f.debug_struct("Mutex").field("value", &format_args!("<locked>")).finish(),
        }
    }
}

/// Access to the value of a [`Mutex`], which is held until this is dropped. Dropping it never waits.
#[must_use = "the mutex is released when its guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The lock that it holds.
    pub(super) fn held(&self) -> &'a Lock {
        &self.mutex.lock
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held by this guard alone.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held by this guard alone.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.lock.release();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
