//! Mutual exclusion without data: what every kind of mutex is made of.

use super::park_in::take_in;
use crate::hub::WaitList;
use std::cell::Cell;

/// Held by one at a time; a release hands it to the one that has waited longest.
#[derive(Default)]
pub(super) struct Lock {
    held: Cell<bool>,
    waiters: WaitList,
}

impl Lock {
    pub(super) const fn new() -> Lock {
        Lock { held: Cell::new(false), waiters: WaitList::new() }
    }

    #[inline]
    pub(super) fn is_held(&self) -> bool {
        self.held.get()
    }

    /// Takes it if it is free; then nobody waits.
    #[inline]
    pub(super) fn try_acquire(&self) -> bool {
        !self.held.replace(true)
    }

    /// Parks until it is handed over, or the moment has come.
    #[inline(always)]
    pub(super) fn wait(&self, until: Option<u64>) -> bool {
        take_in(&self.waiters, 0, &"a mutex", until, || self.release())
    }

    /// Hands it to the next, or leaves it free.
    #[inline]
    pub(super) fn release(&self) {
        if !self.waiters.wake_one() {
            self.held.set(false);
        }
    }
}
