//! What waits for a deadline: a node in the frame of whoever waits.
#![cfg_attr(
    all(test, debug_assertions),
    expect(unsafe_code, reason = "a timer is linked by promise")
)]

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::mem::offset_of;

use super::ring::Link;

/// One wait for a deadline: a node in the frame of whoever waits. Moves freely while it is not linked.
#[repr(C)]
pub(crate) struct Timer {
    pub(super) link: Link,
    pub(super) deadline_ns: Cell<u64>,
    /// If it is linked, the number of the list that it is in, or of any near one (**Linked where it says**).
    pub(super) list: Cell<u16>,
    /// In a near list: its place.
    pub(super) place: Cell<u32>,
    beside: *const (),
    _pinned: PhantomPinned,
}

// So a pointer to a timer is one to its link, and back.
const _: () = assert!(offset_of!(Timer, link) == 0);

impl Timer {
    /// `beside` is an address of the owner's that is touched, too, when the timer fires.
    pub(crate) const fn new(beside: *const ()) -> Timer {
        Timer {
            link: Link::new(),
            deadline_ns: Cell::new(u64::MAX),
            list: Cell::new(0),
            place: Cell::new(0),
            beside,
            _pinned: PhantomPinned,
        }
    }

    /// Whether it is in a wheel. Not any more when it fires.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        self.link.is_linked()
    }

    /// What it was last inserted with; `u64::MAX` if never.
    #[inline]
    pub(crate) fn deadline_ns(&self) -> u64 {
        self.deadline_ns.get()
    }

    #[inline]
    pub(crate) fn beside(&self) -> *const () {
        self.beside
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // Not while unwinding: the first panic says more than the abort of a second.
        debug_assert!(
            !self.is_linked() || std::thread::panicking(),
            "a timer ends while it is in a wheel: remove it first"
        );
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::ptr::null;

    use super::super::Wheel;
    use super::*;

    #[test]
    fn a_timer_that_ends_in_a_wheel_is_reported() {
        let timer = std::mem::ManuallyDrop::new(Timer::new(null()));
        let wheel = Wheel::new(0);
        // SAFETY: it stays where it is until the wheel has ended.
        unsafe { wheel.insert(&timer, 1) };
        // SAFETY: read once, for its drop alone; the original is never dropped.
        let copy = unsafe { std::ptr::read(&*timer) };
        assert!(catch_unwind(AssertUnwindSafe(|| drop(copy))).is_err());
    }
}
