//! Two contexts that play ball: what both sides of a register test share.

use greenlet::context::{Context, Entry, Stack, Word, switch};
use std::cell::Cell;
use std::ptr::null;

/// Main's context, another one on a stack of its own, and a ball for both to look at.
pub(crate) struct Pair<B> {
    pub(crate) main: Context,
    pub(crate) other: Cell<*const Context>,
    pub(crate) ball: B,
    _stack: Stack,
}

impl<B> Pair<B> {
    /// `body` gets the address of the pair with its first switch.
    pub(crate) fn new(body: Entry, ball: B) -> Box<Pair<B>> {
        let stack = Stack::new(64 * 1024).unwrap();
        // SAFETY: the stack is new, and the pair, which nobody takes apart, keeps it.
        let other = unsafe { Context::start(stack.top(), body) };
        Box::new(Pair { main: Context::running(), other: Cell::new(other), ball, _stack: stack })
    }

    /// From main to the other and back.
    #[inline(always)]
    pub(crate) fn to_other(&self) {
        let me = Word::new((&raw const *self).cast_mut().cast());
        // SAFETY: main runs; the other was started, or left by `to_main`.
        unsafe { switch(&self.main, self.other.get(), me, 0) };
    }

    /// From the other to main and back.
    #[inline(always)]
    pub(crate) fn to_main(&self) {
        // SAFETY: the other runs; main waits in `to_other`.
        unsafe { switch(self.other.get(), &self.main, Word::new(std::ptr::null_mut()), 0) };
    }

    /// The pair whose address came with the first switch.
    ///
    /// # Safety
    /// - `payload` came from `to_other` of a `Pair<B>`.
    pub(crate) unsafe fn of<'a>(payload: Word) -> &'a Pair<B> {
        // SAFETY: the caller's promise.
        unsafe { &*payload.assume_init().cast::<Pair<B>>() }
    }
}

impl<B> Drop for Pair<B> {
    fn drop(&mut self) {
        self.other.set(null()); // abandoned where it waits: nothing of ours lies on its stack
    }
}
