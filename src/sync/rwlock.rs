//! Many readers or one writer, in order.
#![expect(unsafe_code, reason = "lends what the lock protects")]

use super::park_in::{moment, park_noted_in, raise_pending};
use crate::driver::planted::{self, Bug};
use crate::hub::WaitList;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// What those who wait are noted with.
const READ: u64 = 0;
const WRITE: u64 = 1;

/// The state while there is a writer; else the number of readers.
const WRITTEN: isize = -1;

/// A value that many greenlets may read at a time, or one may write, also while they wait.
///
/// Greenlets are let in strictly in the order in which they came: a reader that comes while a writer waits
/// waits behind it. So neither side starves. But a greenlet that holds a read guard must not call `read` again:
/// if a writer waits between the two, it waits for ever. No poisoning, as with [`Mutex`](super::Mutex).
///
/// ```
/// use greenlet::sync::RwLock;
/// let lock = RwLock::new(1);
/// {
///     let (one, two) = (lock.read(), lock.read());
///     assert_eq!(*one + *two, 2);
///     assert!(lock.try_write().is_none());
/// }
/// *lock.write() += 1;
/// assert_eq!(*lock.read(), 2);
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(greenlet::sync::RwLock::new(0));
/// ```
/// ```compile_fail
/// fn share<T: Sync>(_: T) {}
/// share(greenlet::sync::RwLock::new(0));
/// ```
pub struct RwLock<T: ?Sized> {
    state: Cell<isize>,
    waiters: WaitList,
    value: UnsafeCell<T>,
}

impl<T> RwLock<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> RwLock<T> {
        RwLock { state: Cell::new(0), waiters: WaitList::new(), value: UnsafeCell::new(value) }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Parks until no greenlet writes and all that came before have been let in; returns at once if that is so
    /// already.
    ///
    /// # Panics
    /// When it would have to wait while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it waits is raised here; if the lock was handed over in that moment, the
    /// next one gets it.
    #[inline]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        if !self.enter_to_read() {
            self.park(READ, None);
        }
        RwLockReadGuard { lock: self }
    }

    /// Takes the lock to read if no greenlet writes or waits; never waits.
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.enter_to_read().then(|| RwLockReadGuard { lock: self })
    }

    /// As [`read`](RwLock::read), for at most `limit`; `None` when the time is over.
    ///
    /// # Panics
    /// As [`read`](RwLock::read).
    ///
    /// # Cancellation
    /// As [`read`](RwLock::read).
    pub fn read_timeout(&self, limit: Duration) -> Option<RwLockReadGuard<'_, T>> {
        let entered = self.enter_to_read() || self.park(READ, Some(moment(limit)));
        entered.then(|| RwLockReadGuard { lock: self })
    }

    /// Parks until no greenlet reads or writes and all that came before are done; returns at once if the lock is
    /// free.
    ///
    /// # Panics
    /// As [`read`](RwLock::read).
    ///
    /// # Cancellation
    /// As [`read`](RwLock::read).
    #[inline]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        if !self.enter_to_write() {
            self.park(WRITE, None);
        }
        RwLockWriteGuard { lock: self }
    }

    /// Takes the lock to write if it is free; never waits.
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.enter_to_write().then(|| RwLockWriteGuard { lock: self })
    }

    /// As [`write`](RwLock::write), for at most `limit`; `None` when the time is over.
    ///
    /// # Panics
    /// As [`read`](RwLock::read).
    ///
    /// # Cancellation
    /// As [`read`](RwLock::read).
    pub fn write_timeout(&self, limit: Duration) -> Option<RwLockWriteGuard<'_, T>> {
        let entered = self.enter_to_write() || self.park(WRITE, Some(moment(limit)));
        entered.then(|| RwLockWriteGuard { lock: self })
    }

    /// Whether any greenlet reads or writes.
    pub fn is_locked(&self) -> bool {
        self.state.get() != 0
    }

    /// The value. The exclusive borrow shows that the lock is not held.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[inline]
    fn enter_to_read(&self) -> bool {
        let state = self.state.get();
        let enters = state >= 0 && (self.waiters.is_empty() || planted::is(Bug::Overtake));
        if enters {
            self.state.set(state + 1);
        }
        enters
    }

    #[inline]
    fn enter_to_write(&self) -> bool {
        let enters = self.state.get() == 0; // then nobody waits
        if enters {
            self.state.set(WRITTEN);
        }
        enters
    }

    fn park(&self, kind: u64, until: Option<u64>) -> bool {
        let parked = park_noted_in(&self.waiters, kind, &"a read-write lock", until);
        match parked {
            Ok(true) => raise_pending(|| self.leave(kind)),
            // Without us, those behind may be able to go on.
            Ok(false) | Err(_) => self.admit(),
        }
        parked.unwrap_or_else(|interrupted| interrupted.raise())
    }

    #[inline]
    fn leave(&self, kind: u64) {
        self.state.set(if kind == READ { self.state.get() - 1 } else { 0 });
        self.admit();
    }

    /// Lets in whoever is first and can be.
    #[inline]
    fn admit(&self) {
        while let Some(first) = self.waiters.first_note() {
            match (first, self.state.get()) {
                (READ, readers @ 0..) => self.state.set(readers + 1),
                (WRITE, 0) => self.state.set(WRITTEN),
                _ => return,
            }
            self.waiters.wake_one();
        }
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_read() {
            Some(guard) => f.debug_struct("RwLock").field("value", &&*guard).finish(),
            None => f.debug_struct("RwLock").field("value", &format_args!("<locked>")).finish(),
        }
    }
}

/// Shared access to the value of a [`RwLock`], until this is dropped. Dropping it never waits.
#[must_use = "the lock is released when its guard is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: while there is a reader, nobody writes.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.leave(READ);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Exclusive access to the value of a [`RwLock`], until this is dropped. Dropping it never waits.
#[must_use = "the lock is released when its guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Turns it into a read guard, without letting another writer in between.
    pub fn downgrade(guard: RwLockWriteGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        let lock = guard.lock;
        std::mem::forget(guard);
        lock.state.set(1);
        lock.admit();
        RwLockReadGuard { lock }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: while there is a writer, there is nobody else.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: while there is a writer, there is nobody else.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.leave(WRITE);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
