//! What the tree knows of a scheduler: that some greenlets are parked, and whom to tell of them.
//!
//! A parked greenlet awaits a private type, so that no user's value matches. Whoever throws at it
//! hands the payload to the scheduler; whoever dies under it hands over to the scheduler's own
//! greenlet.
//!
//! - **Parked or not**: a greenlet is parked iff it awaits [`woken`]; so is a task that has not begun.
#![expect(unsafe_code, reason = "the scheduler is known by its address")]

use super::control::{Block, Node};
use super::current::thread_or_none;
use super::error::Payload;
use super::report;
use super::value::{Describe, ValueType};
use std::cell::Cell;
use std::ptr;

/// What a wake brings. Private: nobody else can send one.
pub(crate) struct Woken;

/// The type that the parked await.
pub(super) static WOKEN: ValueType = ValueType::new::<Woken>(woken);

/// Not generic, so that it has one address in all crates.
#[inline(never)]
pub(super) fn woken() -> &'static ValueType {
    &WOKEN
}

/// What the tree needs of the scheduler of its thread.
pub(crate) struct Scheduler {
    /// Takes a payload that is to be raised in a parked greenlet when its wait is over.
    pub(crate) deliver: fn(&Scheduler, &Block, Payload),
    /// Ends all that it has running; called in the root greenlet, before the tree does the same.
    pub(crate) wind_up: fn(&Scheduler),
    /// The thread was just seen to end: nobody who is parked runs any more.
    pub(crate) ends: fn(&Scheduler),
    /// Gives up what is left: the thread's locals are destroyed, and none of its code runs any more.
    pub(crate) close: unsafe fn(*const Scheduler),
    /// The parked greenlet that runs when one dies under a parked ancestor.
    pub(crate) fallback: Cell<*const Block>,
}

/// This thread's scheduler; null if there is none.
#[inline(always)]
pub(crate) fn scheduler() -> *const Scheduler {
    thread_or_none().scheduler.get()
}

/// Is this greenlet parked?
#[inline]
pub(crate) fn is_parked(block: &Block) -> bool {
    block.expect.get().is_some_and(|expect| ptr::fn_addr_eq(expect, woken as Describe))
}

/// Is this the scheduler's own greenlet?
pub(super) fn is_fallback(node: &Node) -> bool {
    // SAFETY: null, or a scheduler that is still there.
    let scheduler = unsafe { scheduler().as_ref() };
    node.block().is_some_and(|block| {
        scheduler.is_some_and(|scheduler| ptr::eq(scheduler.fallback.get(), block))
    })
}

/// Gives `payload` to the scheduler, to be raised in a greenlet that is parked. Where that scheduler was
/// forgotten, in the child of a fork, the greenlet never runs again.
pub(super) fn deliver(block: &Block, payload: Payload) {
    // SAFETY: null, or a scheduler, which stays where it is.
    match unsafe { scheduler().as_ref() } {
        Some(scheduler) => (scheduler.deliver)(scheduler, block, payload),
        None => report::drop_noted(payload),
    }
}
