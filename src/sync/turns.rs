//! Turns: what is given to those who wait, one after the other, and taken when they go on.
//!
//! Whoever is given a turn is ready, but has not run yet. What the turn is for (an item, a place) is
//! kept for it until then: others do not overtake. If it is to be raised in instead, it gives the turn
//! back by coming out of [`Turns::wait`] with an error, and whoever called that offers again.

use super::park_in::{assert_others_can_run, park_first_in, park_in};
use crate::driver::planted::{self, Bug};
use crate::hub::{Interrupted, WaitList, WaitsFor, hub, interrupted};
use std::cell::Cell;

/// Those who wait for a turn, and how many turns were given but not taken.
pub(crate) struct Turns {
    waiting: WaitList,
    given: Cell<usize>,
}

impl Turns {
    pub(crate) const fn new() -> Turns {
        Turns { waiting: WaitList::new(), given: Cell::new(0) }
    }

    /// How many have been given a turn and have not run since.
    #[inline]
    pub(crate) fn given(&self) -> usize {
        if planted::is(Bug::Overtake) { 0 } else { self.given.get() }
    }

    /// How many wait for a turn; counts them.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Does anybody wait for a turn?
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Gives a turn to the one that has waited longest; false if nobody waits.
    #[inline]
    pub(crate) fn give(&self) -> bool {
        let given = self.waiting.wake_one();
        if given {
            self.given.set(self.given.get() + 1);
        }
        given
    }

    /// As [`give`](Turns::give), where each turn is that of one who waits, and nobody else's: of those who wait in
    /// the parent, in the child of a fork, it is nobody's.
    #[inline]
    pub(crate) fn give_first(&self) {
        let given = self.waiting.wake_first();
        self.given.set(self.given.get() + usize::from(given));
    }

    /// Gives a turn to each that waits.
    pub(crate) fn give_all(&self) {
        while self.give() {}
    }

    /// Parks until a turn is given (true) or the moment `until` has come (false); `first` is for one
    /// that has waited already, and comes before all others.
    ///
    /// # Errors
    /// Something is to be raised. If a turn was given, it is given back.
    ///
    /// # Panics
    /// While the thread unwinds: nobody else could run.
    #[inline(always)]
    pub(crate) fn wait(
        &self,
        first: bool,
        what: WaitsFor,
        until: Option<u64>,
    ) -> Result<bool, Interrupted> {
        let given = match first {
            false => park_in(&self.waiting, what, until),
            true => park_first_in(&self.waiting, what, until),
        }?;
        if given {
            self.given.set(self.given.get() - 1);
        }
        match interrupted() {
            None => Ok(given),
            Some(interrupted) => {
                let is_kept = planted::is(Bug::KeepTheTurn) && given;
                self.given.set(self.given.get() + usize::from(is_kept));
                Err(interrupted)
            }
        }
    }

    /// Panics while the thread unwinds, as [`wait`](Turns::wait) would.
    pub(crate) fn assert_can_wait(&self, what: WaitsFor) {
        assert_others_can_run(hub(), what);
    }
}
