//! Looking at a greenlet from outside: its stack's bounds and use, its frames.
#![expect(unsafe_code, reason = "walks and measures suspended stacks")]

use super::control::{Block, ROOT, STARTED};
use super::current::thread;
use super::handle::Greenlet;
use crate::arch;
use std::backtrace::Backtrace;
use std::ops::Range;

/// What a suspended greenlet keeps alive, for conservative collectors and debuggers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SuspendedFrame {
    /// The addresses of its stack that are in use.
    pub live: Range<usize>,
    /// The registers that were saved in its frame; all others that matter lie in `live`.
    pub registers: [usize; 2],
}

impl Greenlet {
    /// The usable addresses of its stack, lowest first; `None` for the root and the dead.
    pub fn stack_bounds(&self) -> Option<Range<usize>> {
        bounds(self.alive()?)
    }

    /// Bytes of stack that the suspended greenlet holds; for the running one what is in use now.
    ///
    /// `None` for the root, the unstarted and the dead.
    pub fn stack_used(&self) -> Option<usize> {
        let block = self.alive().filter(|block| block.has(STARTED))?;
        let end = bounds(block)?.end;
        let here = 0_u8;
        let sp = match is_current(block) {
            true => (&raw const here).addr(),
            false => block.header.saved_sp.get().addr(),
        };
        Some(end - sp)
    }

    /// What a suspended greenlet keeps alive; `None` for all others and the root.
    pub fn suspended_frame(&self) -> Option<SuspendedFrame> {
        let block = self.suspended_block()?;
        let frame = block.header.saved_sp.get();
        // SAFETY: **Saved frame**.
        let registers = unsafe { &*frame }.registers();
        Some(SuspendedFrame { live: frame.addr()..bounds(block)?.end, registers })
    }

    /// The calls in which a suspended greenlet waits, ending at its own body; `None` for others.
    ///
    /// ```
    /// use greenlet::{Greenlet, suspend};
    /// fn waits_here() { suspend::<(), ()>(()) }
    /// let g = Greenlet::new(|()| waits_here());
    /// let () = g.switch(());
    /// # if cfg!(debug_assertions) {
    /// assert!(g.backtrace().unwrap().to_string().contains("waits_here"));
    /// # }
    /// ```
    #[doc(alias = "gr_frame")]
    pub fn backtrace(&self) -> Option<Backtrace> {
        let block = self.suspended_block()?;
        let mut captured: Option<Backtrace> = None;
        let up = block.header.up.replace(arch::END_OF_WALK);
        // SAFETY: **Saved frame**; `capture` neither unwinds nor switches.
        unsafe { arch::walk(block.header.saved_sp.get(), capture, (&raw mut captured).cast()) };
        block.header.up.set(up);
        captured
    }

    fn suspended_block(&self) -> Option<&Block> {
        self.alive().filter(|block| block.has(STARTED) && !block.has(ROOT) && !is_current(block))
    }
}

extern "C" fn capture(data: *mut ()) {
    // SAFETY: `backtrace` passes this.
    unsafe { *data.cast::<Option<Backtrace>>() = Some(Backtrace::force_capture()) }
}

fn is_current(block: &Block) -> bool {
    std::ptr::eq(block, thread().current())
}

fn bounds(block: &Block) -> Option<Range<usize>> {
    if block.has(ROOT) { None } else { Some(block.label.bounds()) }
}

/// Bytes of stack that the current greenlet has left; `None` in a root greenlet.
pub fn stack_remaining() -> Option<usize> {
    let here = 0_u8;
    let bounds = bounds(thread().current())?;
    Some((&raw const here).addr() - bounds.start)
}
