//! Greenlets that a scheduler starts, and that end by handing over to whomever it names.
//!
//! A task that has not begun is parked: it awaits a `Woken` like all that are ready, so that
//! starting it is the same switch as resuming another. When its body is done there is no value to
//! be sent and no parent to be found: the slot is given back, and the next greenlet goes on.
#![expect(unsafe_code, reason = "is the first function on a new stack, and retires it")]

use super::control::{Block, STARTED, UNCOMMON};
use super::current::{ORPHAN, Thread, thread, thread_or_none};
use super::entry::{LARGEST_IN_PLACE, closure_of, drop_of_closure, occupy};
use super::park::arrive_woken;
use super::scheduler::{WOKEN, woken};
use super::switch::{Cargo, depart_for_ever};
use super::value::ValueType;
use super::{death, local};
use crate::arch::{self, Header, Word};
use crate::stack::{Label, Shape, StackError};
use std::panic::Location;
use std::ptr::NonNull;

/// A stack that a task will run on.
pub(crate) struct TaskStack {
    label: NonNull<Label>,
    flags: u32,
}

impl TaskStack {
    /// Takes one of the default shape, or of another.
    ///
    /// # Errors
    /// [`StackError`], with nothing changed.
    #[inline(always)]
    pub(crate) fn take(shape: Option<Shape>) -> Result<TaskStack, StackError> {
        let thread = thread();
        match shape {
            Some(shape) if shape != Shape::DEFAULT => {
                Ok(TaskStack { label: thread.stacks.take(shape)?, flags: UNCOMMON })
            }
            _ => {
                let ready = thread.stacks.take_default();
                let label = ready.map_or_else(|| thread.stacks.take(Shape::DEFAULT), Ok)?;
                Ok(TaskStack { label, flags: 0 })
            }
        }
    }

    /// Makes a parked greenlet below `parent`. When it is resumed it calls `body`; then it dies, and
    /// resumes the parked greenlet that `next` names. It holds a handle to itself until then.
    ///
    /// # Safety
    /// - `body` does not unwind.
    /// - `next` returns a parked greenlet other than the one that ends; it takes no stack and does
    ///   not unwind.
    #[inline(always)]
    pub(crate) unsafe fn occupy<'a, F: FnOnce() + 'static, N: Fn() -> *const Block>(
        self,
        parent: &Block,
        created: &'static Location<'static>,
        body: F,
        next: N,
    ) -> &'a Block {
        const { assert!(size_of::<N>() == 0, "it is made out of nothing when the body is done") };
        // Not at compile time: a caller that asks for the size in an `if` is compiled for all sizes.
        assert!(align_of::<F>() <= 64 && size_of::<F>() <= LARGEST_IN_PLACE, "box it");
        std::mem::forget(next);
        let thread = thread_or_none(); // there is one: it has stacks
        let block = occupy(thread, parent, self.label, self.flags, created);
        let to = closure_of::<F>(block);
        // SAFETY: the place lies on the greenlet's own, still unused stack, aligned for `F`.
        unsafe { to.write(body) };
        block.drop_closure.set(drop_of_closure::<F>());
        block.expect.set(Some(woken));
        // SAFETY: the header is complete, and below the closure the stack is unused.
        unsafe { arch::prepare(&block.header, to.cast(), run::<F, N>) };
        block
    }
}

/// Names a task for reports; the level above checks that it is alive.
pub(crate) fn set_name(block: &Block, name: Box<str>) {
    block.label.set_name(name);
    block.set(UNCOMMON);
}

/// Gives a parked greenlet's stack back without unwinding it.
///
/// # Safety
/// - `block` is parked, and nothing on its stack needs to be dropped or is used by anybody.
/// - It has no handle but the one that a task holds to itself.
pub(crate) unsafe fn dismiss(block: &Block) {
    let (thread, node) = (thread_or_none(), block.record());
    let_go_of_itself(block);
    death::forget_block(block);
    block.expect.set(None);
    // SAFETY: nobody resumes it: nothing leads to it any more.
    unsafe { thread.stacks.put(NonNull::from(&block.label)) };
    death::release(thread, node);
}

/// Gives up the handle that a task holds to itself, so that it is no orphan while it runs.
#[inline(always)]
fn let_go_of_itself(block: &Block) {
    let handles = block.record().handles();
    handles.set(handles.get() - 1);
}

/// The first function on a task's stack.
///
/// # Safety
/// Reached by the first switch to it alone, with an arrival for the block of a task whose body is an `F`.
unsafe extern "C" fn run<F: FnOnce() + 'static, N: Fn() -> *const Block>(
    payload: Word,
    tag: usize,
    _from: *const Header,
    me: *const Header,
) -> ! {
    arch::start_with_default_control_words();
    let thread = thread_or_none(); // there is one: it has greenlets
    // SAFETY: the header is the first field of the block of the greenlet that has just begun.
    let me = unsafe { &*me.cast::<Block>() };
    me.start();
    // SAFETY: `occupy` left the body there, and it is moved out only here.
    let body = unsafe { closure_of::<F>(me).read() };
    if tag != 0 {
        // SAFETY: it came to this greenlet, which awaited a `Woken`.
        unsafe { arrive_woken(payload, tag) };
    }
    body();
    if thread.flags.get() != 0 || me.flags.get() != STARTED {
        // SAFETY: the body is done; `next` as the caller of `occupy` promised.
        unsafe { end_slowly(thread, me, next::<N>) }
    }
    let_go_of_itself(me);
    // SAFETY: nothing is left on this stack.
    let node = unsafe { death::retire_common(thread, me) };
    if node.handles().get() == 0 {
        death::release(thread, node);
    }
    // SAFETY: by the promise of the caller of `occupy`, a greenlet that is parked.
    let next = unsafe { &*next::<N>() };
    next.expect.set(None);
    thread.set_current(next);
    // SAFETY: `next` awaits a `Woken`; this stack is left for ever.
    unsafe { arch::leave(&me.header, &next.header, Word::uninit(), 0) }
}

/// Calls an `N`, which has no bytes.
fn next<N: Fn() -> *const Block>() -> *const Block {
    // SAFETY: a value without bytes, one of which was forgotten when the task was made.
    let next = unsafe { NonNull::<N>::dangling().as_ref() };
    next()
}

/// As the end of [`run`], where there is more to do: locals, a name, a tracer, a killer.
///
/// # Safety
/// The body of `me`, the current greenlet, is done; `next` names a parked greenlet.
#[cold]
#[inline(never)]
unsafe fn end_slowly(thread: &Thread, me: &Block, next: fn() -> *const Block) -> ! {
    if me.killer.get().is_null() {
        local::drop_all(me); // user code: we may be killed in here, but not for want of a handle
    }
    let_go_of_itself(me);
    if !me.killer.get().is_null() {
        let cargo = Cargo::Value { kind: ValueType::of::<()>(), word: Word::uninit() };
        // SAFETY: nothing is left on this stack.
        unsafe { death::finish(thread, me, cargo) }
    }
    let origin = death::origin(thread, me.record());
    thread.clear(ORPHAN);
    // SAFETY: nothing is left on this stack.
    unsafe { death::retire(thread, me) };
    let cargo = Cargo::Value { kind: &WOKEN, word: Word::uninit() };
    // SAFETY: parked, by the promise of the caller; retired.
    unsafe { depart_for_ever(thread, &*next(), cargo, origin) }
}
