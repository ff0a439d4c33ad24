//! Mutual exclusion that its owner may enter again.

use super::park_in::{moment, take_in};
use crate::greenlet::{GreenletId, current_block, id_of};
use crate::hub::WaitList;
use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

/// As [`Mutex`](super::Mutex), but the greenlet that holds it may lock it again; it is released when
/// its last guard is dropped. Since a greenlet may have several guards, they only lend `&T`.
///
/// It belongs to the greenlet that locked it, also if another one drops the guards.
///
/// ```
/// use greenlet::{spawn, sync::ReentrantMutex};
/// use std::rc::Rc;
/// let mutex = Rc::new(ReentrantMutex::new(()));
/// let _outer = mutex.lock();
/// let inner = mutex.lock();
/// assert_eq!(mutex.depth(), 2);
/// drop(inner);
/// let other = spawn({
///     let mutex = mutex.clone();
///     move || (mutex.try_lock().is_none(), mutex.release().unwrap_err().to_string())
/// });
/// let (refused, error) = other.join().unwrap();
/// let (other, own) = (error.split(' ').nth(1).unwrap(), greenlet::current().id());
/// assert!(refused);
/// assert_eq!(error, format!("greenlet {other} cannot release a mutex that {own} holds"));
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(greenlet::sync::ReentrantMutex::new(0));
/// ```
#[doc(alias("RLock", "RMutex"))]
#[derive(Default)]
pub struct ReentrantMutex<T: ?Sized> {
    /// The number of the greenlet that holds it; 0 for nobody.
    owner: Cell<u64>,
    depth: Cell<usize>,
    /// Noted with their numbers.
    waiters: WaitList,
    value: T,
}

impl<T> ReentrantMutex<T> {
    /// A free mutex around `value`.
    pub const fn new(value: T) -> ReentrantMutex<T> {
        let (owner, depth) = (Cell::new(0), Cell::new(0));
        ReentrantMutex { owner, depth, waiters: WaitList::new(), value }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T: ?Sized> ReentrantMutex<T> {
    /// Parks until the mutex is free, and takes it; returns at once if the current greenlet holds it already.
    ///
    /// # Panics
    /// When it would have to wait while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it waits is raised here; if the mutex was handed over in that moment, the
    /// next one gets it.
    #[doc(alias = "acquire")]
    #[inline]
    pub fn lock(&self) -> ReentrantMutexGuard<'_, T> {
        if !self.enter() {
            self.park(None);
        }
        ReentrantMutexGuard { mutex: self }
    }

    /// Takes the mutex if it is free or held by the current greenlet; never waits.
    #[inline]
    pub fn try_lock(&self) -> Option<ReentrantMutexGuard<'_, T>> {
        self.enter().then(|| ReentrantMutexGuard { mutex: self })
    }

    /// As [`lock`](ReentrantMutex::lock), for at most `limit`; `None` when the time is over.
    ///
    /// # Panics
    /// As [`lock`](ReentrantMutex::lock).
    ///
    /// # Cancellation
    /// As [`lock`](ReentrantMutex::lock).
    pub fn lock_timeout(&self, limit: Duration) -> Option<ReentrantMutexGuard<'_, T>> {
        let entered = self.enter() || self.park(Some(moment(limit)));
        entered.then(|| ReentrantMutexGuard { mutex: self })
    }

    /// Undoes one [`lock`](ReentrantMutex::lock) whose guard was [forgotten](std::mem::forget). If the guard
    /// is still there, its drop panics, or gives up what by then another greenlet holds.
    ///
    /// # Errors
    /// [`NotOwner`], if the current greenlet does not hold it; nothing happens then.
    pub fn release(&self) -> Result<(), NotOwner> {
        let caller = id_of(current_block());
        if self.owner.get() != caller.get() {
            return Err(NotOwner { owner: self.owner(), caller });
        }
        self.leave();
        Ok(())
    }

    /// The greenlet that holds it.
    pub fn owner(&self) -> Option<GreenletId> {
        match self.owner.get() {
            0 => None,
            id => Some(GreenletId::from_number(id)),
        }
    }

    /// How often its owner has locked it.
    pub fn depth(&self) -> usize {
        self.depth.get()
    }

    /// Whether it is held.
    #[doc(alias = "locked")]
    pub fn is_locked(&self) -> bool {
        self.owner.get() != 0
    }

    /// The value. The exclusive borrow shows that the mutex is not held.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.value
    }

    #[inline]
    fn enter(&self) -> bool {
        let (me, owner) = (id_of(current_block()).get(), self.owner.get());
        let enters = owner == me || owner == 0;
        if enters {
            self.owner.set(me);
            self.depth.set(self.depth.get() + 1);
        }
        enters
    }

    fn park(&self, until: Option<u64>) -> bool {
        let me = id_of(current_block()).get();
        take_in(&self.waiters, me, &"a reentrant mutex", until, || self.leave())
    }

    #[inline]
    fn leave(&self) {
        let Some(depth) = self.depth.get().checked_sub(1) else {
            // No second panic while another one unwinds.
            assert!(std::thread::panicking(), "a reentrant mutex was released once too often");
            return;
        };
        self.depth.set(depth);
        if self.depth.get() > 0 {
            return;
        }
        match self.waiters.first_note() {
            None => self.owner.set(0),
            Some(next) => {
                self.owner.set(next);
                self.depth.set(1);
                self.waiters.wake_one();
            }
        }
    }
}

impl<T> From<T> for ReentrantMutex<T> {
    fn from(value: T) -> ReentrantMutex<T> {
        ReentrantMutex::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReentrantMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReentrantMutex")
            .field("owner", &self.owner().map(GreenletId::get))
            .field("depth", &self.depth())
            .field("value", &&self.value)
            .finish()
    }
}

/// Access to the value of a [`ReentrantMutex`], which is held until the last of these is dropped. Dropping it
/// never waits.
#[must_use = "the mutex is released when its guards are dropped"]
pub struct ReentrantMutexGuard<'a, T: ?Sized> {
    mutex: &'a ReentrantMutex<T>,
}

impl<T: ?Sized> Deref for ReentrantMutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.mutex.value
    }
}

impl<T: ?Sized> Drop for ReentrantMutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.leave();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReentrantMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for ReentrantMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The error of [`ReentrantMutex::release`]: the current greenlet does not hold the mutex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotOwner {
    /// The greenlet that holds it; `None` if nobody does.
    pub owner: Option<GreenletId>,
    /// The greenlet that tried to release it.
    pub caller: GreenletId,
}

impl fmt::Display for NotOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot release a mutex that ", self.caller)?;
        match self.owner {
            Some(owner) => write!(f, "{owner} holds"),
            None => f.write_str("nobody holds"),
        }
    }
}

impl Error for NotOwner {}
