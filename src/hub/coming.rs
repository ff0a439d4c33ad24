//! The memory that the next alarms will touch, asked for in two steps.
//!
//! Each sleeper's block and frame lie on a page of their own. Where thousands sleep, neither the page's
//! translation nor any of its lines is near, least of all after the hub itself has slept.
//!
//! ```text
//!   alarms in order:   rings now       + LEAD                  + LEAD .. + LEAD + TOGETHER
//!                         │               │                        │
//!                     its greenlet    step 2: all lines        step 1: one line each, one right after the
//!                     runs next       that it will touch       other, so that the processor looks up several
//!                                                              pages at once
//! ```
//!
//! Nanoseconds that one of 10,000 sleepers waits for its page, after the hub has slept: 110 if pages are looked
//! up one at a time, 75 eight at once, 60 sixteen, 45 thirty-two. With other lines between them it is as
//! with one at a time.
//!
//! What was looked at may be gone when its lines are asked for: an address is but a hint here.

use super::deadline::Alarm;
use crate::arch::prefetch;
use crate::list::{Timer, Wheel};
use std::cell::Cell;
use std::ptr::null;

/// So many pages are looked up at once.
const TOGETHER: usize = 32;

/// So many alarms before its own the lines of each are asked for.
pub(super) const LEAD: usize = 2;

/// Timers whose pages were asked for, and what lies beside each.
pub(super) struct Coming {
    seen: [Cell<(*const Timer, *const ())>; TOGETHER],
    /// The first whose lines were not asked for yet.
    next: Cell<usize>,
    len: Cell<usize>,
}

impl Coming {
    pub(super) const fn new() -> Coming {
        Coming {
            seen: [const { Cell::new((null(), null())) }; _],
            next: Cell::new(0),
            len: Cell::new(0),
        }
    }

    /// An alarm rings.
    #[inline]
    pub(super) fn step(&self, wheel: &Wheel) {
        if self.next.get() == self.len.get() {
            if !wheel.looks_ahead() {
                return;
            }
            self.look_up(wheel);
        }
        let next = self.next.get();
        if next < self.len.get() {
            self.next.set(next + 1);
            let (timer, block) = self.seen[next].get();
            Alarm::prefetch(timer, block);
        }
    }

    /// More alarms are due than have rung.
    #[inline]
    pub(super) fn begin(&self, wheel: &Wheel) {
        if wheel.looks_ahead() || self.next.get() < self.len.get() {
            return;
        }
        self.look_up(wheel);
        (0..LEAD).for_each(|_| self.step(wheel));
    }

    /// Step 1.
    #[cold]
    fn look_up(&self, wheel: &Wheel) {
        let mut len = 0;
        wheel.look_ahead(TOGETHER, |timer, block| {
            prefetch(block);
            self.seen[len].set((timer, block));
            len += 1;
        });
        self.len.set(len);
        self.next.set(0);
    }

    /// None is due any more.
    #[inline]
    pub(super) fn end(&self) {
        self.len.set(0);
        self.next.set(0);
    }
}
