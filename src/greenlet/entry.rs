//! How a greenlet begins: its closure, its first frame, and the first function on its stack.
#![expect(unsafe_code, reason = "builds new stacks and is the first function on them")]

use super::control::{Block, DropClosure, FOREIGN, STARTED, UNBOUND};
use super::current::{Thread, thread_or_none};
use super::death;
use super::error::Payload;
use super::handle::Greenlet;
use super::report;
use super::switch::{Cargo, Raised, received};
use super::throw;
use super::value::{ValueType, pack, unpack};
use crate::arch::{self, Header, Word};
use crate::stack::Label;
use std::mem::{ManuallyDrop, needs_drop};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr::NonNull;

/// Closures above this are boxed: what is moved to a stack's top is missing from the stack.
pub(crate) const LARGEST_IN_PLACE: usize = 1024;

/// Makes an unstarted greenlet of a slot, with the current greenlet as its parent; `flags` tell what
/// kind of slot it is.
#[inline(always)]
pub(super) fn create<A: 'static, R: 'static, F>(
    thread: &Thread,
    label: NonNull<Label>,
    flags: u32,
    created: &'static Location<'static>,
    closure: F,
) -> Greenlet
where
    F: FnOnce(A) -> R + 'static,
{
    let block = occupy(thread, thread.current(), label, flags, created);
    install(block, closure);
    // SAFETY: `occupy` counted this handle.
    unsafe { Greenlet::from_counted(block, block.node.get()) }
}

/// Makes a greenlet without a body.
pub(super) fn create_unbound(
    thread: &Thread,
    label: NonNull<Label>,
    flags: u32,
    created: &'static Location<'static>,
) -> Greenlet {
    let block = occupy(thread, thread.current(), label, flags | UNBOUND, created);
    // SAFETY: nobody else uses the slot; the frame is there for walks only, nothing resumes it.
    unsafe { arch::prepare(&block.header, place(block), run_without_body) };
    // SAFETY: `occupy` counted this handle.
    unsafe { Greenlet::from_counted(block, block.node.get()) }
}

/// Gives a free slot and a free node to each other, and counts one handle.
#[inline(always)]
pub(super) fn occupy<'a>(
    thread: &Thread,
    parent: &Block,
    label: NonNull<Label>,
    flags: u32,
    created: &'static Location<'static>,
) -> &'a Block {
    // SAFETY: the label of a free slot lies at the end of its block, which nobody else uses
    // (**Clean slot**).
    let block = unsafe { &*Block::of_label(label.as_ptr()) };
    let node = thread.take_node();
    let parent_node = parent.record();
    let id = thread.fresh_id();
    parent_node.edges().set(parent_node.edges().get() + 1);
    node.set_block(block);
    node.set_parent(parent_node.as_link());
    node.handles().set(1);
    node.id.set(id);
    block.header.up.set(parent_node.as_link());
    block.node.set(node);
    block.parent.set(parent);
    block.flags.set(flags);
    block.label.created.set(Some(created));
    block.label.id.set(id);
    block
}

/// Where the closure may begin, downwards.
#[inline(always)]
fn place(block: &Block) -> *mut u8 {
    if block.has(FOREIGN) { block.label.stack_end() } else { (&raw const *block).cast_mut().cast() }
}

/// Gives a body to a block that has none.
#[inline(always)]
pub(super) fn install<A: 'static, R: 'static, F>(block: &Block, closure: F)
where
    F: FnOnce(A) -> R + 'static,
{
    if size_of::<F>() > LARGEST_IN_PLACE || align_of::<F>() > 64 {
        let boxed: Box<dyn FnOnce(A) -> R> = Box::new(closure);
        install_in_place(block, boxed);
    } else {
        install_in_place(block, closure);
    }
}

#[inline(always)]
fn install_in_place<A: 'static, R: 'static, F>(block: &Block, closure: F)
where
    F: FnOnce(A) -> R + 'static,
{
    let to = closure_of::<F>(block);
    // SAFETY: the place lies on the greenlet's own, still unused stack, aligned for `F`.
    unsafe { to.write(closure) };
    block.drop_closure.set(drop_of_closure::<F>());
    block.expect.set(Some(ValueType::describe::<A>));
    // SAFETY: the header is complete, and below the closure the stack is unused.
    unsafe { arch::prepare(&block.header, to.cast(), run::<A, R, F>) };
}

#[inline(always)]
pub(super) fn closure_of<F>(block: &Block) -> *mut F {
    let top = place(block);
    top.wrapping_sub(size_of::<F>()).map_addr(|address| address & !(align_of::<F>() - 1)).cast()
}

unsafe extern "C" fn run_without_body(_: Word, _: usize, _: *const Header, _: *const Header) -> ! {
    unreachable!("a greenlet without a body awaits nothing, so nothing is sent to it")
}

/// How the closure of an unstarted greenlet is dropped, if there is anything to drop.
#[inline(always)]
pub(super) fn drop_of_closure<F>() -> Option<DropClosure> {
    if needs_drop::<F>() { Some(drop_closure::<F>) } else { None }
}

/// # Safety
/// The block is bound to an `F` that has not been moved out.
unsafe fn drop_closure<F>(block: *const Block) {
    if needs_drop::<F>() {
        // SAFETY: the caller's promise.
        unsafe { closure_of::<F>(&*block).drop_in_place() }
    }
}

/// The first function on a greenlet's stack.
///
/// What is rare is done elsewhere, and nothing but `me` is kept over a call: whatever needs room in this frame lies
/// between the block and the frames that every switch touches.
///
/// # Safety
/// Reached by the first switch to it alone, with an arrival for the block of an unstarted greenlet whose
/// body is an `F`.
unsafe extern "C" fn run<A: 'static, R: 'static, F: FnOnce(A) -> R + 'static>(
    payload: Word,
    tag: usize,
    _from: *const Header,
    me: *const Header,
) -> ! {
    arch::start_with_default_control_words();
    // SAFETY: the header is the first field of the block of the greenlet that has just begun.
    let me = unsafe { &*me.cast::<Block>() };
    let (payload, tag) = before_it_begins(payload, tag);
    me.start();
    let argument = if tag == 0 {
        // SAFETY: an unstarted greenlet awaits an `A`.
        unsafe { unpack(payload) }
    } else {
        // SAFETY: as above; the closure is where `install` left it.
        unsafe { tagged_argument::<A, F>(me, payload, tag) }
    };
    // SAFETY: `install` left the closure there, and it is moved out only here.
    let closure = unsafe { closure_of::<F>(me).read() };
    // **No unwinding through assembly**: caught here, crosses as a value.
    match catch_unwind(AssertUnwindSafe(|| closure(argument))) {
        Ok(result) => {
            let mut result = ManuallyDrop::new(result);
            let word = pack(&mut result);
            let thread = thread_or_none();
            if let Some(parent) = awaiting_parent::<R>(thread, me) {
                parent.expect.set(None);
                thread.set_current(parent);
                // SAFETY: only the result is left on this stack; the parent awaits it.
                unsafe {
                    death::retire_common(thread, me);
                    arch::leave(&me.header, &parent.header, word, 0)
                }
            }
            // SAFETY: only the result is left on this stack.
            unsafe { end_with_value(me, ValueType::of::<R>(), word) }
        }
        // SAFETY: nothing is left on this stack.
        Err(payload) => unsafe { end_with_panic(me, payload) },
    }
}

/// Sees to it that the end of the thread is noticed before a greenlet begins: that one may run on. Takes and gives what
/// would else have to be kept meanwhile.
#[inline(always)]
fn before_it_begins(payload: Word, tag: usize) -> (Word, usize) {
    #[cold]
    #[inline(never)]
    fn look_whether_the_thread_ends(payload: Word, tag: usize) -> (Word, usize) {
        thread_or_none().is_ending();
        (payload, tag)
    }
    let thread = thread_or_none(); // there is one: it has greenlets
    if thread.is_where_it_was() {
        (payload, tag)
    } else {
        look_whether_the_thread_ends(payload, tag)
    }
}

/// The argument, if it came with a tag; or the end of a body that never ran, because its first arrival was no value.
///
/// # Safety
/// As [`received`]; the closure of `me`, the current greenlet, is where [`install`] left it.
#[cold]
#[inline(never)]
unsafe fn tagged_argument<A: 'static, F>(me: &Block, payload: Word, tag: usize) -> A {
    // SAFETY: forwarded.
    let raised = match unsafe { received::<A>(payload, tag) } {
        Ok(argument) => return argument,
        Err(raised) => raised,
    };
    // SAFETY: the caller's promise; nobody else finds it now.
    report::contain(|| unsafe { drop_closure::<F>(me) });
    let Raised::Throw(thrown) = raised else {
        unreachable!("an exit ends an unstarted greenlet without running it")
    };
    // SAFETY: nothing is left on this stack.
    unsafe { death::finish(thread_or_none(), me, Cargo::Throw(thrown)) }
}

/// # Safety
/// As [`death::finish`], with a value that `word` carries.
#[cold]
#[inline(never)]
unsafe fn end_with_value(me: &Block, kind: &'static ValueType, word: Word) -> ! {
    // SAFETY: forwarded.
    unsafe { death::finish(thread_or_none(), me, Cargo::Value { kind, word }) }
}

/// # Safety
/// As [`death::finish`].
#[cold]
#[inline(never)]
unsafe fn end_with_panic(me: &Block, payload: Payload) -> ! {
    let cargo = Cargo::Throw(throw::caught(me, payload));
    // SAFETY: forwarded.
    unsafe { death::finish(thread_or_none(), me, cargo) }
}

/// The parent, if this death is nothing but a plain switch to it.
#[inline(always)]
fn awaiting_parent<'a, R: 'static>(thread: &Thread, me: &Block) -> Option<&'a Block> {
    // SAFETY: **Identity**: always legal to read, and valid if the node is the parent's.
    let parent = unsafe { &*me.parent.get() };
    let plain = thread.flags.get() == 0
        && me.flags.get() == STARTED
        && me.record().handles().get() != 0
        && parent.is_named_by(me.header.up.get())
        && parent.plainly_awaits::<R>();
    plain.then_some(parent)
}
