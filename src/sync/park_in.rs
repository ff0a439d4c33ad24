//! The wait behind every primitive: parked in a list until its turn has come.
//!
//! Whoever gives something up (a lock, a permit) does not leave it lying about: it hands it to the
//! first in the list, by firing that one's node. So those who wait are served in their order, and
//! nobody who comes later slips in between.
//!
//! - **Parked memory stays**: no node is in the list any more when one of these functions is left.
#![expect(unsafe_code, reason = "waits in lists by address")]

use crate::driver::planted::{self, Bug};
use crate::greenlet::current_block;
use crate::hub::{Deadline, Hub, Interrupted, WaitList, WaitNode, WaitsFor, hub, set_waits_for};
use std::time::Duration;

/// The moment at which a wait that begins now is over.
pub(super) fn moment(limit: Duration) -> u64 {
    hub().moment(limit)
}

/// Parks the current greenlet behind those that are in `list`, until `node` has fired (true) or
/// the moment `until` has come (false).
///
/// A node that has fired when its greenlet goes on counts as fired, whatever else has happened.
///
/// # Errors
/// Something is to be raised, and `node` has not fired.
///
/// # Panics
/// While the thread unwinds: nobody else could run.
#[inline]
pub(super) fn park_in(
    list: &WaitList,
    node: &WaitNode,
    what: WaitsFor,
    until: Option<u64>,
) -> Result<bool, Interrupted> {
    let hub = prepared(what);
    // SAFETY: `parked` takes it out, before `node` or the list can be left; no park unwinds.
    unsafe { list.add(node) };
    parked(hub, list, node, until)
}

/// As [`park_in`], before those that are in `list`: for one that has waited already.
#[cold]
pub(super) fn park_first_in(
    list: &WaitList,
    node: &WaitNode,
    what: WaitsFor,
    until: Option<u64>,
) -> Result<bool, Interrupted> {
    let hub = prepared(what);
    // SAFETY: as in `park_in`.
    unsafe { list.add_first(node) };
    parked(hub, list, node, until)
}

/// The hub, on which the current greenlet is about to wait for `what`.
///
/// # Panics
/// While the thread unwinds.
#[inline]
fn prepared<'a>(what: WaitsFor) -> &'a Hub {
    let hub = hub();
    assert_others_can_run(hub, what);
    set_waits_for(current_block(), what);
    hub
}

/// Parks until a node, which is in `list`, has fired, or the moment has come; then it is in no list.
#[inline]
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

#[inline(never)]
fn park_until(hub: &Hub, node: &WaitNode, moment: u64) -> Result<(), Interrupted> {
    let deadline = Deadline::new(current_block());
    // SAFETY: taken back below; no park unwinds.
    unsafe { hub.set_deadline(&deadline, moment) };
    let parked = hub.wait_until(|| node.has_fired() || deadline.has_passed());
    hub.take_back(&deadline);
    parked
}

/// As [`park_in`], for what is nobody's own: raises what is to be raised, and if `node` has fired
/// that waits for the next wait.
#[inline]
pub(super) fn wait_in(
    list: &WaitList,
    node: &WaitNode,
    what: WaitsFor,
    until: Option<u64>,
) -> bool {
    park_in(list, node, what, until).unwrap_or_else(|interrupted| interrupted.raise())
}

/// As [`park_in`], for what is handed over: raises what is to be raised also if `node` has fired,
/// after `pass_on` has given to the next what it was handed.
#[inline]
pub(super) fn take_in(
    list: &WaitList,
    node: &WaitNode,
    what: WaitsFor,
    until: Option<u64>,
    pass_on: impl FnOnce(),
) -> bool {
    let handed = wait_in(list, node, what, until);
    if handed {
        raise_pending(pass_on);
    }
    handed
}

/// Raises what is to be raised in the current greenlet, after `before`.
#[inline]
pub(super) fn raise_pending(before: impl FnOnce()) {
    if let Some(interrupted) = hub().interrupted(current_block()) {
        if !planted::is(Bug::KeepTheTurn) {
            before();
        }
        interrupted.raise();
    }
}
