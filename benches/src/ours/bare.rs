//! The bare switch of `greenlet::context`.

use std::hint::black_box;
use std::ptr::{NonNull, without_provenance_mut};

use greenlet::context::{Context, Stack, Word, leave, switch};

use crate::measure::{Case, Stopwatch};
use crate::slab::{GUARD, STRIDE};
use crate::work::{Body, Out, Peer, Two};

/// A coroutine on `greenlet::context`: no types, no tree, no unwinding.
pub(super) struct Bare;

const STACK_BYTES: usize = STRIDE - GUARD;

/// A suspended coroutine, the context that resumes it, and its stack.
pub(super) struct Handle {
    own: *const Context,
    home: *const Context,
    _stack: Stack,
}

/// Home is not kept here but read from its thread-local: what stands on this stack is cold in a large
/// ring, and the way back would wait for it.
struct Back {
    own: *const Context,
}

#[inline(always)]
fn word(value: usize) -> Word {
    Word::new(without_provenance_mut(value))
}

/// # Safety
/// - The other side sent a word made by [`word`].
#[inline(always)]
unsafe fn value(word: Word) -> usize {
    // SAFETY: the caller's promise.
    unsafe { word.assume_init() }.addr()
}

impl Out for Back {
    #[inline(always)]
    fn suspend(&self, sent: usize) -> usize {
        // SAFETY: this coroutine runs and its resumer waits in `resume`; both send words.
        unsafe { value(switch(self.own, home(), word(sent), 0).payload) }
    }
}

unsafe extern "C" fn entry<B: Body>(
    first: Word,
    _: usize,
    home: *const Context,
    own: *const Context,
) -> ! {
    const { assert!(size_of::<B>() == 0, "a body that needs no place of its own") }
    // SAFETY: a value without a size can be read anywhere.
    let body = unsafe { NonNull::<B>::dangling().read() };
    // SAFETY: `resume` sends words.
    let first = unsafe { value(first) };
    let last = body.run(&Back { own }, first);
    // SAFETY: as in `suspend`; nobody comes back.
    unsafe { leave(own, home, word(last), 0) }
}

thread_local! {
    /// The measuring side's own context.
    static HOME: Context = const { Context::running() };
}

#[inline(always)]
fn home() -> *const Context {
    HOME.with(|home| &raw const *home)
}

impl Peer for Bare {
    const NAME: &'static str = super::BARE;
    type Handle = Handle;

    #[inline(always)]
    fn start(body: impl Body) -> Handle {
        start(body)
    }

    #[inline(always)]
    fn resume(handle: &mut Handle, sent: usize) -> usize {
        // SAFETY: the measuring loop runs in `home`, the coroutine is suspended; both send words.
        unsafe { value(switch(handle.home, handle.own, word(sent), 0).payload) }
    }
}

#[inline(always)]
fn start<B: Body>(_: B) -> Handle {
    let stack = Stack::new(STACK_BYTES).expect("a stack");
    // SAFETY: the stack is new, and the handle owns it.
    let own = unsafe { Context::start(stack.top(), entry::<B>) };
    Handle { own, home: home(), _stack: stack }
}

/// [`Two`] adds this between two suspensions: one on each of two levels, down and up.
const CHAIN_ADDS: usize = 4;
const CHAIN_ADDS_GOING_UP: usize = 2;

/// On to the next sibling, or home when the value has counted down to zero.
struct Onward {
    own: *const Context,
    next: *const Context,
    home: *const Context,
}

impl Out for Onward {
    #[inline(always)]
    fn suspend(&self, sent: usize) -> usize {
        let left = sent - CHAIN_ADDS - 1;
        let target = if left == 0 { self.home } else { self.next };
        // SAFETY: one coroutine of the ring runs, so the next one and home are suspended.
        unsafe { value(switch(self.own, target, word(left), 0).payload) }
    }
}

/// The first word is the address of the sibling's place; the second is its first value.
unsafe extern "C" fn sibling(
    place: Word,
    _: usize,
    home: *const Context,
    own: *const Context,
) -> ! {
    // SAFETY: `direct` sends the address of one of its own, and it outlives the ring.
    let next = unsafe { *place.assume_init().cast::<*const Context>() };
    // SAFETY: `direct` waits at home.
    let first = unsafe { value(switch(own, home, word(0), 0).payload) };
    Two.run(&Onward { own, next, home }, first + CHAIN_ADDS_GOING_UP);
    unreachable!("the body is endless")
}

/// Siblings that switch straight to one another.
pub(super) fn direct(count: usize) -> Case {
    let home = home();
    let stacks: Vec<Stack> =
        (0..count).map(|_| Stack::new(STACK_BYTES).expect("a stack")).collect();
    // SAFETY: the stacks are new and live as long as the case.
    let start = |stack: &Stack| unsafe { Context::start(stack.top(), sibling) };
    let siblings: Vec<*const Context> = stacks.iter().map(start).collect();
    for index in 0..count {
        let next = &raw const siblings[(index + 1) % count];
        // SAFETY: this is the running context, and the sibling was just made.
        unsafe { switch(home, siblings[index], Word::new(next.cast_mut().cast()), 0) };
    }
    let first = siblings[0];
    Case::new(Bare::NAME, count, move |laps| {
        let _owned = (&stacks, &siblings);
        let hops = laps as usize * count;
        let start = Stopwatch::start();
        // SAFETY: this is the running context, and every sibling is suspended.
        black_box(unsafe { switch(home, first, word(hops), 0) });
        start.elapsed()
    })
}
