//! Turns: what is given to those who wait, one after the other, and taken when they go on.
//!
//! Whoever is given a turn is ready, but has not run yet. What the turn is for (an item, a place) is
//! kept for it until then: others do not overtake. If it is to be raised in instead, it gives the turn
//! back by coming out of [`Turns::wait`] with an error, and whoever called that offers again.
//!
//! - **Parked memory stays**: no node is in the list any more when [`Turns::wait`] is left.
#![expect(unsafe_code, reason = "waits in lists by address")]

use crate::greenlet::current_block;
use crate::hub::{Deadline, Hub, Interrupted, WaitList, WaitNode, WaitsFor, hub, set_waits_for};
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
        self.given.get()
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
        self.given.set(self.given.get() + usize::from(given));
        given
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
    #[inline]
    pub(crate) fn wait(
        &self,
        first: bool,
        what: WaitsFor,
        until: Option<u64>,
    ) -> Result<bool, Interrupted> {
        let (hub, me) = (hub(), current_block());
        assert!(
            hub.others_can_run(),
            "{what} cannot be waited for while the thread unwinds: nobody else could run"
        );
        set_waits_for(me, what);
        let node = WaitNode::new();
        // SAFETY: taken out below, before this frame is left; no park unwinds.
        unsafe {
            if first {
                self.waiting.add_first(&node);
            } else {
                self.waiting.add(&node);
            }
        }
        let waited = match until {
            None => hub.wait_until(|| node.has_fired()),
            Some(moment) => wait_until(hub, &node, moment),
        };
        // SAFETY: in this list, or fired.
        unsafe { self.waiting.remove(&node) };
        self.given.set(self.given.get() - usize::from(node.has_fired()));
        waited?;
        match hub.interrupted(me) {
            None => Ok(node.has_fired()),
            Some(interrupted) => Err(interrupted),
        }
    }
}

#[inline(never)]
fn wait_until(hub: &Hub, node: &WaitNode, moment: u64) -> Result<(), Interrupted> {
    let deadline = Deadline::new(current_block());
    // SAFETY: taken back below; no park unwinds.
    unsafe { hub.set_deadline(&deadline, moment) };
    let waited = hub.wait_until(|| node.has_fired() || deadline.has_passed());
    hub.take_back(&deadline);
    waited
}
