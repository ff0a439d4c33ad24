//! Switching to the parent without holding a handle.
//!
//! A body that captured its parent's handle would make a cycle that no drop ends, because its
//! parent usually holds the body's. So this is the way back.
#![expect(unsafe_code, reason = "switches to a block")]

use super::control::{Block, Node};
use super::cross::{cross, cross_if_taken, plain_target};
use super::current::{Thread, thread};
use super::switch::{TakesThrows, switch_slowly};
use super::value::Received;
use super::{SwitchError, throw};
use std::mem::ManuallyDrop;

/// Hands `value` to the parent and waits until somebody sends the current greenlet a `B`.
///
/// ```
/// use greenlet::{Greenlet, suspend};
/// let g = Greenlet::new(|x: i32| { let y: i32 = suspend(x + 1); y * 2 });
/// let first: i32 = g.switch(1);
/// let second: i32 = g.switch(10);
/// assert_eq!((first, second), (2, 20));
/// ```
///
/// # Panics
/// As [`Greenlet::switch`](crate::Greenlet::switch); and in the root greenlet, which has no parent.
///
/// # Cancellation
/// A throw or kill is raised here; `value` was already taken by its receiver.
#[inline(always)]
#[track_caller]
#[doc(alias = "yield")]
pub fn suspend<A: 'static, B: 'static>(value: A) -> B {
    let mut value = ManuallyDrop::new(value);
    if let Some((thread, parent)) = plain_target::<A>(living_parent_if_plain) {
        // SAFETY: `plain_target` found no flag set, and that the parent awaits an `A`; we await a `B`.
        return unsafe { throw::arrived(cross::<A, B>(thread, parent, &mut value)) };
    }
    suspend_slowly(ManuallyDrop::into_inner(value))
}

#[cold]
#[inline(never)]
#[track_caller]
fn suspend_slowly<A: 'static, B: 'static>(value: A) -> B {
    let thread = thread();
    let mut value = ManuallyDrop::new(value);
    let target = living_parent(thread);
    // SAFETY: once something has arrived, the value is not looked at again.
    if let Some(arrival) = unsafe { cross_if_taken::<A, B>(thread, target, &mut value) } {
        // SAFETY: it came to us, who await a `B`.
        return unsafe { throw::arrived(arrival) };
    }
    let value = ManuallyDrop::into_inner(value);
    let result = switch_slowly(thread, parent_of_current(thread), value);
    throw::value_or_panic(result, format_args!("switch to the parent"))
}

/// As [`suspend`], and waits for a value of any type.
///
/// # Panics
/// As [`suspend`].
///
/// # Cancellation
/// As [`suspend`].
#[inline]
#[track_caller]
pub fn suspend_any<A: 'static>(value: A) -> Received {
    suspend(value)
}

/// As [`suspend`], but returns an error instead of panicking.
///
/// # Errors
/// As [`Greenlet::try_switch`](crate::Greenlet::try_switch).
///
/// # Panics
/// In the root greenlet, which has no parent.
///
/// # Cancellation
/// As [`Greenlet::try_switch`](crate::Greenlet::try_switch).
#[inline(always)]
#[track_caller]
pub fn try_suspend<A: 'static, B: 'static>(value: A) -> Result<B, SwitchError<A>> {
    let _takes_throws = TakesThrows::in_current();
    let mut value = ManuallyDrop::new(value);
    if let Some((thread, parent)) = plain_target::<A>(living_parent_if_plain) {
        // SAFETY: as in `suspend`.
        return unsafe { throw::try_arrived(cross::<A, B>(thread, parent, &mut value)) };
    }
    try_suspend_slowly(ManuallyDrop::into_inner(value))
}

#[cold]
#[inline(never)]
#[track_caller]
fn try_suspend_slowly<A: 'static, B: 'static>(value: A) -> Result<B, SwitchError<A>> {
    let thread = thread();
    let mut value = ManuallyDrop::new(value);
    let target = living_parent(thread);
    // SAFETY: once something has arrived, the value is not looked at again.
    if let Some(arrival) = unsafe { cross_if_taken::<A, B>(thread, target, &mut value) } {
        // SAFETY: it came to us, who await a `B`.
        return unsafe { throw::try_arrived(arrival) };
    }
    let value = ManuallyDrop::into_inner(value);
    switch_slowly(thread, parent_of_current(thread), value).map_err(SwitchError::from)
}

/// The parent's block, while it lives and nothing else is to be done.
#[inline(always)]
fn living_parent_if_plain(thread: &Thread) -> Option<&Block> {
    // One that has no state yet has no current greenlet either.
    if thread.flags.get() != 0 { None } else { living_parent(thread) }
}

/// The parent's block, while it lives.
#[inline(always)]
fn living_parent(thread: &Thread) -> Option<&Block> {
    let me = thread.current();
    thread.living(me.parent.get(), me.header.up.get())
}

/// The parent's node, which the current greenlet keeps; no handle, that would keep the parent alive.
#[track_caller]
fn parent_of_current(thread: &Thread) -> &Node {
    match thread.current().record().parent() {
        Some(parent) => parent,
        None => panic!("the root greenlet has no parent to switch to"),
    }
}
