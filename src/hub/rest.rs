//! Those who wait until nothing can happen any more.

use super::{Hub, WaitList};
use crate::greenlet::Block;
use std::cell::Cell;

/// Who waits for the rest of all others.
pub(crate) struct Resting {
    pub(crate) waiters: WaitList,
    /// How many of them have a deadline that will come, which is no reason to go on for the others.
    limited: Cell<usize>,
}

impl Resting {
    pub(super) const fn new() -> Resting {
        Resting { waiters: WaitList::new(), limited: Cell::new(0) }
    }

    /// One more waiter has a deadline, until the guard is dropped.
    pub(crate) fn limited(&self) -> impl Drop {
        struct Limited<'a>(&'a Cell<usize>);
        impl Drop for Limited<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        self.limited.set(self.limited.get() + 1);
        Limited(&self.limited)
    }
}

impl Hub {
    pub(crate) fn resting(&self) -> &Resting {
        &self.resting
    }

    /// Does anybody wait for the kernel, or might another thread bring something?
    #[inline]
    pub(super) fn awaits_anything(&self) -> bool {
        self.in_flight.get() > 0 || self.awaits_others()
    }

    /// Is nothing pending but the deadlines of those who wait for just that?
    #[inline]
    pub(super) fn only_limits_of_rest_are_left(&self, in_place: Option<&Block>) -> bool {
        let limited = self.resting.limited.get();
        limited > 0
            && in_place.is_none()
            && !self.awaits_anything()
            && limited == self.wheel.len_of_those_that_fire()
    }

    /// Nobody is ready and nothing is pending: wakes those who wait for that. False if nobody does.
    pub(super) fn tell_of_rest(&self, in_place: Option<&Block>) -> bool {
        let told = in_place.is_none() && !self.resting.waiters.is_empty();
        if told {
            self.resting.waiters.wake_all();
        }
        told
    }
}
