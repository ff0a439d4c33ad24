//! The ready list, and the marks that a greenlet carries in its seat.
//!
//! The list runs through the blocks, so that pushing and popping allocate nothing; a killed greenlet stays in it and
//! raises when its turn comes.
#![expect(unsafe_code, reason = "the list runs through the blocks of parked greenlets")]

use crate::greenlet::{Block, is_parked};
use crate::list::{Fifo, Linked};
use std::cell::Cell;

/// It is in the ready list.
pub(super) const READY: u32 = 1;
/// Something is to be raised in it.
pub(super) const INTERRUPTED: u32 = 2;
/// It waits in place: without letting others run.
pub(super) const IN_PLACE: u32 = 4;
/// What it waits for in place has happened.
pub(super) const WOKEN_IN_PLACE: u32 = 8;
/// It has to end: an exit is raised in it again and again.
pub(super) const DOOMED: u32 = 16;
/// It waits in a hub of the process that has forked, or that its thread has left at its end: for ever, and
/// marked as [`READY`].
pub(super) const FROZEN: u32 = 32;
/// From this bit on, how many of those exits it has swallowed.
pub(super) const SWALLOWED: u32 = 1 << 16;

impl Linked for Block {
    #[inline(always)]
    fn next(&self) -> &Cell<*const Block> {
        &self.next
    }
}

#[inline(always)]
pub(super) fn has(block: &Block, mark: u32) -> bool {
    block.marks.get() & mark != 0
}

#[inline(always)]
pub(super) fn set(block: &Block, mark: u32) {
    block.marks.set(block.marks.get() | mark);
}

#[inline(always)]
pub(super) fn clear(block: &Block, mark: u32) {
    block.marks.set(block.marks.get() & !mark);
}

/// The parked greenlets that shall run, in the order in which they were woken.
pub(super) struct Ready(Fifo<Block>);

impl Ready {
    pub(super) const fn new() -> Ready {
        Ready(Fifo::new())
    }

    /// Appends a greenlet that is parked, or will be before anybody pops it; once.
    #[inline(always)]
    pub(super) fn push(&self, block: &Block) {
        debug_assert!(!has(block, READY));
        set(block, READY);
        // SAFETY: the mark says that it is in no list yet. A parked greenlet's block stays where it
        // is until it is resumed, which only popping it leads to.
        unsafe { self.0.push(block) }
    }

    #[inline(always)]
    pub(super) fn pop<'a>(&self) -> Option<&'a Block> {
        // SAFETY: it lives: nobody but us resumes it, and it can only end when it runs.
        let block = unsafe { self.0.pop() }?;
        clear(block, READY);
        debug_assert!(is_parked(block) || std::ptr::eq(block, crate::greenlet::current_block()));
        Some(block)
    }

    /// Begins to load the frames of who will be popped next.
    #[inline]
    pub(super) fn prefetch_first(&self) {
        // SAFETY: null, or a block in the list, which stays where it is.
        if let Some(first) = unsafe { self.0.first().as_ref() } {
            first.prefetch_frames();
        }
    }

    /// Takes all out, and leaves their marks: nobody will run them.
    pub(super) fn forget_all(&self) {
        // SAFETY: as in `pop`.
        while unsafe { self.0.pop() }.is_some() {}
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
