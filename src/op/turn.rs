//! Whose turn it is, where several greenlets take whole things from one descriptor.
//!
//! Left to io_uring (6.18) the last to ask is the first to be served, again and again, while the
//! others starve: each waits in the kernel at the head of the socket's queue. So one is in the
//! kernel at a time, and the others wait here, first come, first served.
#![expect(unsafe_code, reason = "waits in a list by address")]

use super::Descriptor;
use crate::greenlet::current_block;
use crate::hub::{Deadline, WaitList, WaitNode, hub, set_waits_for};
use crate::worker::forks;
use std::cell::Cell;
use std::io;

/// Those who want to take from a descriptor.
pub(super) struct Line {
    /// While somebody takes, or has been told to: after how many [`forks`] that was. In the child of one it is
    /// nobody any more, for who takes is parked.
    taken: Cell<Option<u32>>,
    waiting: WaitList,
}

impl Line {
    pub(super) const fn new() -> Line {
        Line { taken: Cell::new(None), waiting: WaitList::new() }
    }

    /// Wakes all, to see what has changed.
    pub(super) fn dissolve(&self) {
        self.waiting.wake_all();
    }
}

/// The turn of the current greenlet; afterwards it is the next one's.
struct Turn<'a>(&'a Line);

impl Drop for Turn<'_> {
    #[inline]
    fn drop(&mut self) {
        // Whoever is woken has the turn from now on, so that nobody overtakes him.
        if !self.0.waiting.wake_one() {
            self.0.taken.set(None);
        }
    }
}

/// Runs `take` when all who came before have ended theirs; with what is left of the limit then.
///
/// # Errors
/// Those of `take`; `TimedOut`; what a closed descriptor says.
#[inline]
pub(super) fn in_turn<R>(
    descriptor: &Descriptor,
    limit_ns: Option<u64>,
    take: impl FnOnce(Option<u64>) -> io::Result<R>,
) -> io::Result<R> {
    let line = descriptor.line();
    let now = Some(forks());
    if line.taken.replace(now) != now {
        let _turn = Turn(line);
        return take(limit_ns);
    }
    // From a destructor while the thread unwinds nobody else would run to end his turn.
    if !hub().others_can_run() {
        return take(limit_ns);
    }
    let (_turn, limit_ns) = wait(descriptor, limit_ns)?;
    take(limit_ns)
}

/// Parks until it is the current greenlet's turn.
#[cold]
fn wait(descriptor: &Descriptor, limit_ns: Option<u64>) -> io::Result<(Turn<'_>, Option<u64>)> {
    let (hub, me, line) = (hub(), current_block(), descriptor.line());
    hub.raise_pending();
    descriptor.check()?;
    set_waits_for(me, &"its turn at a descriptor");
    let end = limit_ns.map(|limit| hub.now().saturating_add(limit));
    let (node, deadline) = (WaitNode::new(), Deadline::new(me));
    // SAFETY: taken out below, before this frame is left; no park unwinds.
    unsafe { line.waiting.add(&node) };
    if let Some(end) = end {
        // SAFETY: taken back below.
        unsafe { hub.set_deadline(&deadline, end) };
    }
    let waited =
        hub.wait_until(|| node.has_fired() || deadline.has_passed() || descriptor.check().is_err());
    hub.take_back(&deadline);
    // SAFETY: in this list, or fired.
    unsafe { line.waiting.remove(&node) };
    let turn = node.has_fired().then(|| Turn(line));
    if let Err(interrupted) = waited {
        drop(turn);
        interrupted.raise();
    }
    descriptor.check()?;
    match turn {
        Some(turn) => Ok((turn, end.map(|end| end.saturating_sub(hub.now())))),
        None => Err(io::ErrorKind::TimedOut.into()),
    }
}
