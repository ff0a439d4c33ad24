//! What a scheduler keeps in a greenlet's block. The tree only empties it.
#![expect(unsafe_code, reason = "a field is a box by address")]

use super::control::{Block, UNCOMMON};
use super::error::Payload;
use super::report;
use std::cell::Cell;
use std::fmt;
use std::ptr::null;

/// The part of a block for the scheduler of its thread, beside `marks` and `next`: a cache line.
///
/// Zero bytes are an empty seat (**Clean slot**); whoever puts anything into it sees to it that it
/// is empty again when the greenlet dies.
#[repr(C, align(64))]
pub(crate) struct Seat {
    /// How many regions hold interrupts back.
    pub(crate) shields: Cell<u32>,
    /// To be raised in this greenlet when it next parks: the first, and any number more.
    pub(crate) raised: Cell<Option<Payload>>,
    pub(crate) raised_later: Cell<*mut Vec<Payload>>,
    /// Deadlines that have passed and are still to be raised, in a list of the scheduler's.
    pub(crate) elapsed: Cell<*const ()>,
    /// The task that this greenlet runs.
    pub(crate) task: Cell<*const ()>,
    /// What it waits for, while it is parked.
    pub(crate) waits_for: Cell<*const ()>,
}

const _: () = assert!(size_of::<Seat>() == 64);

impl Seat {
    pub(super) const fn empty() -> Seat {
        Seat {
            shields: Cell::new(0),
            raised: Cell::new(None),
            raised_later: Cell::new(std::ptr::null_mut()),
            elapsed: Cell::new(null()),
            task: Cell::new(null()),
            waits_for: Cell::new(null()),
        }
    }
}

impl Seat {
    /// Drops what nobody will raise any more. A scheduler that marks who has something to be raised looks here
    /// before it believes a mark.
    pub(super) fn drop_raised(&self) {
        let later = self.raised_later.replace(std::ptr::null_mut());
        if let Some(payload) = self.raised.take() {
            report::drop_noted(payload);
        }
        if !later.is_null() {
            // SAFETY: whoever fills the field leaves a box there; it was just taken out.
            unsafe { Box::from_raw(later) }.into_iter().for_each(report::drop_noted);
        }
    }

    /// Is nothing to be raised?
    pub(super) fn is_vacant(&self) -> bool {
        let raised = self.raised.take();
        let vacant = raised.is_none() && self.raised_later.get().is_null();
        self.raised.set(raised);
        vacant
    }

    /// Leaks what could not be dropped in many rounds.
    pub(super) fn forget_raised(&self) {
        std::mem::forget(self.raised.take());
        self.raised_later.set(std::ptr::null_mut());
    }

    /// Empties it, but for what [`drop_raised`](Seat::drop_raised) drops.
    pub(super) fn clear(&self) {
        self.shields.set(0);
        self.elapsed.set(null());
        self.task.set(null());
        self.waits_for.set(null());
    }
}

impl Block {
    /// There is something in the seat that has to be taken out when the greenlet dies.
    pub(crate) fn must_be_vacated(&self) {
        self.set(UNCOMMON);
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("shields", &self.shields).finish_non_exhaustive()
    }
}
