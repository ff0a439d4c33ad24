//! Switching to the parent without holding a handle.
//!
//! A body that captured its parent's handle would make a cycle that no drop ends, because its
//! parent usually holds the body's. So this is the way back.
#![expect(unsafe_code, reason = "switches to a block")]

use super::control::{Block, Node};
use super::current::{Thread, thread, thread_or_none};
use super::switch::{TakesThrows, cross, cross_any, switch_slowly};
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
    let thread = thread_or_none();
    let mut value = ManuallyDrop::new(value);
    if let Some(parent) = plain_parent::<A>(thread) {
        // SAFETY: `plain_parent` found no flag set, and that the parent awaits an `A`; we await a `B`.
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
    if let Some(parent) = plain_parent::<Received>(thread) {
        // SAFETY: as in `suspend`; the parent takes any value.
        return unsafe { throw::arrived(cross_any::<A, B>(thread, parent, &mut value)) };
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
    let thread = thread();
    let _takes_throws = TakesThrows::in_current(thread);
    let mut value = ManuallyDrop::new(value);
    if let Some(parent) = plain_parent::<A>(thread) {
        // SAFETY: as in `suspend`.
        return unsafe { throw::try_arrived(cross::<A, B>(thread, parent, &mut value)) };
    }
    try_suspend_slowly(thread, ManuallyDrop::into_inner(value))
}

#[cold]
#[inline(never)]
#[track_caller]
fn try_suspend_slowly<A: 'static, B: 'static>(
    thread: &Thread,
    value: A,
) -> Result<B, SwitchError<A>> {
    let mut value = ManuallyDrop::new(value);
    if let Some(parent) = plain_parent::<Received>(thread) {
        // SAFETY: as in `suspend`; the parent takes any value.
        return unsafe { throw::try_arrived(cross_any::<A, B>(thread, parent, &mut value)) };
    }
    let value = ManuallyDrop::into_inner(value);
    switch_slowly(thread, parent_of_current(thread), value).map_err(SwitchError::from)
}

/// The parent's block, if a plain switch of an `A` to it is all there is to do.
#[inline(always)]
fn plain_parent<A: 'static>(thread: &Thread) -> Option<&Block> {
    if thread.flags.get() != 0 {
        return None;
    }
    let me = thread.current();
    let parent = thread.living(me.parent.get(), me.header.up.get())?;
    let plain = parent.awaits::<A>() && !std::thread::panicking();
    plain.then_some(parent)
}

/// The parent's node, which the current greenlet keeps; no handle, that would keep the parent alive.
#[track_caller]
fn parent_of_current(thread: &Thread) -> &Node {
    match thread.current().record().parent() {
        Some(parent) => parent,
        None => panic!("the root greenlet has no parent to switch to"),
    }
}
