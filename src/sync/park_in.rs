//! The wait behind every primitive: parked in a list until its turn has come.
//!
//! Whoever gives something up (a lock, a permit) does not leave it lying about: it hands it to the
//! first in the list, by firing that one's node. So those who wait are served in their order, and
//! nobody who comes later slips in between.
//!
//! - **Parked memory stays**: no node is in the list any more when one of these functions is left.
#![expect(unsafe_code, reason = "waits in lists by address")]

use crate::driver::planted::{self, Bug};
use crate::greenlet::{Plain, current_block};
use crate::hub::{
    Deadline, Hub, Interrupted, WaitList, WaitNode, WaitsFor, hub, hub_of, interrupted,
    set_waits_for,
};
use std::time::Duration;

/// The moment at which a wait that begins now is over.
pub(super) fn moment(limit: Duration) -> u64 {
    hub().moment(limit)
}

/// Parks the current greenlet behind those that are in `list`, until it is woken through the list (true)
/// or the moment `until` has come (false).
///
/// Who was woken through the list when it goes on counts as woken, whatever else has happened.
///
/// # Errors
/// Something is to be raised, and it was not woken through the list.
///
/// # Panics
/// While the thread unwinds: nobody else could run.
#[inline(always)]
pub(super) fn park_in(
    list: &WaitList,
    what: WaitsFor,
    until: Option<u64>,
) -> Result<bool, Interrupted> {
    park_noted_in(list, 0, what, until)
}

/// As [`park_in`], with a note for those who [look](WaitList::first_note) at the list.
///
/// All that a wait costs is in here: it is inlined, up to the call of its primitive's method, and so is the
/// switch. A function that parks returns on another stack than the call before it came from, and each such
/// return is mispredicted: 53 to 28 ns for an item through a queue of one, of which the instructions (595 to
/// 392) are the smaller part.
#[inline(always)]
pub(super) fn park_noted_in(
    list: &WaitList,
    note: u64,
    what: WaitsFor,
    until: Option<u64>,
) -> Result<bool, Interrupted> {
    if let Some(plain) = Plain::now()
        && let Some(hub) = hub_of(plain)
        && hub.interrupted(plain.me()).is_none()
    {
        set_waits_for(plain.me(), what);
        let node = WaitNode::of(plain.me(), note);
        // SAFETY: it fires or is taken out before it, or the list, can be left; no park unwinds.
        unsafe { list.add(&node) };
        let deadline = Deadline::new(plain.me());
        if let Some(moment) = until {
            // SAFETY: taken back below; no park unwinds.
            unsafe { hub.set_deadline(&deadline, moment) };
        }
        // SAFETY: nothing else has run since.
        unsafe { hub.park_plainly(plain) };
        if until.is_some() {
            hub.take_back(&deadline);
        }
        if node.has_fired() {
            return Ok(true);
        }
        if deadline.has_passed() {
            // SAFETY: it is in this list.
            unsafe { list.remove(&node) };
            return Ok(false);
        }
        return parked(hub, list, &node, until);
    }
    park_unusually_in(list, note, what, until)
}

/// As [`park_noted_in`], also where something is out of the ordinary.
#[inline(never)]
fn park_unusually_in(
    list: &WaitList,
    note: u64,
    what: WaitsFor,
    until: Option<u64>,
) -> Result<bool, Interrupted> {
    let hub = prepared(what);
    let node = WaitNode::of(current_block(), note);
    // SAFETY: `parked` takes it out, before `node` or the list can be left; no park unwinds.
    unsafe { list.add(&node) };
    parked(hub, list, &node, until)
}

/// As [`park_in`], before those that are in `list`: for one that has waited already.
#[cold]
#[inline(never)]
pub(super) fn park_first_in(
    list: &WaitList,
    what: WaitsFor,
    until: Option<u64>,
) -> Result<bool, Interrupted> {
    let hub = prepared(what);
    let node = WaitNode::new();
    // SAFETY: as in `park_unusually_in`.
    unsafe { list.add_first(&node) };
    parked(hub, list, &node, until)
}

/// The hub, on which the current greenlet is about to wait for `what`.
///
/// # Panics
/// While the thread unwinds.
fn prepared<'a>(what: WaitsFor) -> &'a Hub {
    let hub = hub();
    assert_others_can_run(hub, what);
    set_waits_for(current_block(), what);
    hub
}

/// Parks until a node, which is in `list` or has fired, has fired, or the moment has come; then it is in no
/// list.
#[inline(never)]
fn parked(
    hub: &Hub,
    list: &WaitList,
    node: &WaitNode,
    until: Option<u64>,
) -> Result<bool, Interrupted> {
    let parked = match until {
        None => hub.wait_until(|| node.has_fired()),
        Some(moment) => park_until(hub, node, moment),
    };
    // SAFETY: in this list, or fired.
    unsafe { list.remove(node) };
    parked.map(|()| node.has_fired())
}

/// # Panics
/// While the thread unwinds.
#[inline]
pub(super) fn assert_others_can_run(hub: &Hub, what: &str) {
    assert!(
        hub.others_can_run(),
        "{what} cannot be waited for while the thread unwinds: nobody else could run"
    );
}

fn park_until(hub: &Hub, node: &WaitNode, moment: u64) -> Result<(), Interrupted> {
    let deadline = Deadline::new(current_block());
    // SAFETY: taken back below; no park unwinds.
    unsafe { hub.set_deadline(&deadline, moment) };
    let parked = hub.wait_until(|| node.has_fired() || deadline.has_passed());
    hub.take_back(&deadline);
    parked
}

/// As [`park_in`], for what is nobody's own: raises what is to be raised, and if it was woken through the list
/// that waits for the next wait.
#[inline(always)]
pub(super) fn wait_in(list: &WaitList, what: WaitsFor, until: Option<u64>) -> bool {
    park_in(list, what, until).unwrap_or_else(|interrupted| interrupted.raise())
}

/// As [`park_in`], for what is handed over: raises what is to be raised also if it was woken through the list,
/// after `pass_on` has given to the next what it was handed.
#[inline(always)]
pub(super) fn take_in(
    list: &WaitList,
    note: u64,
    what: WaitsFor,
    until: Option<u64>,
    pass_on: impl FnOnce(),
) -> bool {
    let parked = park_noted_in(list, note, what, until);
    let handed = parked.unwrap_or_else(|interrupted| interrupted.raise());
    if handed {
        raise_pending(pass_on);
    }
    handed
}

/// Raises what is to be raised in the current greenlet, which has waited, after `before`.
#[inline(always)]
pub(super) fn raise_pending(before: impl FnOnce()) {
    if let Some(interrupted) = interrupted() {
        if !planted::is(Bug::KeepTheTurn) {
            before();
        }
        interrupted.raise();
    }
}
