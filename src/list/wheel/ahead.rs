//! Looking at timers before their moment has come, so that what lies beside them can be asked for.

use super::super::near::{NEAR, NONE};
use super::{SLOTS, Timer, Wheel};

impl Wheel {
    /// Visits `count` timers of the first slot, and what lies beside them: from the first on, or from where it
    /// ended the last time. It looks ahead then, until it comes to the end of a slot, or `advance` to that of
    /// what is due.
    #[inline]
    pub(crate) fn look_ahead(&self, count: usize, mut visit: impl FnMut(*const Timer, *const ())) {
        let mut place = self.ahead.get();
        if place == NONE {
            let Some((number, _)) = self.first().filter(|(number, _)| *number < SLOTS) else {
                return;
            };
            place = self.earliest(number);
        }
        for _ in 0..count {
            if place < NEAR as u32 {
                place = NONE; // the head of a list
                break;
            }
            visit(self.near.timer(place), self.near.beside(place));
            place = self.near.next(place);
        }
        self.ahead.set(place);
    }

    /// Has it looked ahead, and can go on from there?
    #[inline]
    pub(crate) fn looks_ahead(&self) -> bool {
        self.ahead.get() != NONE
    }
}
