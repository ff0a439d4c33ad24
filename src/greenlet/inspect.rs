//! Looking at a greenlet from outside: its state, its names, its stack, its frames.
#![expect(unsafe_code, reason = "walks and measures suspended stacks")]

use super::control::{Block, ROOT, STARTED, UNBOUND, UNCOMMON};
use super::current::thread;
use super::handle::Greenlet;
use super::state::{GreenletId, State};
use crate::arch;
use std::backtrace::Backtrace;
use std::ops::Range;
use std::panic::Location;

/// Where a suspended greenlet's stack and saved registers are, for conservative garbage collectors and
/// debuggers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SuspendedFrame {
    /// The addresses of its stack that are in use.
    pub live: Range<usize>,
    /// The registers that were saved in its frame; all others that matter lie in `live`.
    pub registers: [usize; 2],
}

impl Greenlet {
    /// Whether it has begun, runs, waits, or has ended.
    pub fn state(&self) -> State {
        match self.alive() {
            None => State::Dead,
            Some(block) if std::ptr::eq(block, thread().current()) => State::Running,
            Some(block) if block.has(UNBOUND) => State::Unbound,
            Some(block) if block.has(STARTED) => State::Suspended,
            Some(_) => State::Unstarted,
        }
    }

    /// Whether it has ended.
    #[doc(alias = "dead")]
    pub fn is_dead(&self) -> bool {
        self.alive().is_none()
    }

    /// Whether its body has begun and not ended.
    #[doc(alias = "__bool__")]
    pub fn is_active(&self) -> bool {
        self.alive().is_some_and(|block| block.has(STARTED))
    }

    /// Whether it is the root greenlet of its thread: the thread's own stack.
    pub fn is_root(&self) -> bool {
        self.alive().is_some_and(|block| block.has(ROOT))
    }

    /// The name that it was given, if any; `None` once it is dead.
    pub fn name(&self) -> Option<String> {
        self.alive().and_then(|block| block.label.name().map(str::to_owned))
    }

    /// Its number, unique in the process.
    #[doc(alias = "get_ident")]
    pub fn id(&self) -> GreenletId {
        GreenletId::new(self.node().id.get())
    }

    /// Where it was made; `None` for the root and the dead.
    pub fn created_at(&self) -> Option<&'static Location<'static>> {
        self.alive().and_then(|block| block.label.created.get())
    }

    /// Begins to load what a switch to it will touch. A hint to the processor, and nothing else.
    ///
    /// For schedulers of thousands of greenlets: a stack that ran long ago has left the caches, and a switch to it
    /// waits for memory. Call this a few switches ahead (4 to 8), of the one whose turn comes then.
    ///
    /// ```
    /// use greenlet::{Greenlet, suspend};
    /// let all: Vec<_> = (0..100).map(|_| Greenlet::new(|mut n: u32| loop { n = suspend(n + 1) })).collect();
    /// for (place, greenlet) in all.iter().enumerate() {
    ///     if let Some(coming) = all.get(place + 4) {
    ///         coming.prefetch();
    ///     }
    ///     assert_eq!(greenlet.switch::<u32, u32>(1), 2);
    /// }
    /// ```
    #[inline]
    pub fn prefetch(&self) {
        arch::prefetch_stack(self.place().cast());
    }

    /// A word for your own use; null at first, and once the greenlet is dead.
    pub fn user_word(&self) -> *mut () {
        self.alive().map_or(std::ptr::null_mut(), |block| block.user.get())
    }

    /// Sets the [`user_word`](Greenlet::user_word). Does nothing once the greenlet is dead.
    pub fn set_user_word(&self, word: *mut ()) {
        if let Some(block) = self.alive() {
            block.user.set(word);
            block.set(UNCOMMON);
        }
    }

    /// The living greenlets whose parent this is, in no particular order.
    ///
    /// Looks at every greenlet of the thread.
    pub fn children(&self) -> Vec<Greenlet> {
        let mut children = Vec::new();
        thread().for_each_alive(|node| {
            if node.parent().is_some_and(|parent| std::ptr::eq(parent, self.node())) {
                children.push(Greenlet::of(node));
            }
        });
        children
    }

    /// The usable addresses of its stack, lowest first; `None` for the root and the dead.
    pub fn stack_bounds(&self) -> Option<Range<usize>> {
        bounds(self.alive()?)
    }

    /// Bytes of stack that the suspended greenlet holds; for the running one what is in use now.
    ///
    /// `None` for the root, the unstarted and the dead, and for one that was left, or runs, on another stack than
    /// its own (that of a bare [`context`](crate::context), say).
    pub fn stack_used(&self) -> Option<usize> {
        let block = self.alive().filter(|block| block.has(STARTED))?;
        let here = 0_u8;
        let sp = match is_current(block) {
            true => (&raw const here).addr(),
            false => block.header.saved_sp.get().addr(),
        };
        bounds(block).filter(|own| own.contains(&sp)).map(|own| own.end - sp)
    }

    /// Where the stack and saved registers of a suspended greenlet are; `None` if it is not suspended, for the
    /// root, and for one that was left on another stack than its own.
    pub fn suspended_frame(&self) -> Option<SuspendedFrame> {
        let block = self.suspended_block()?;
        let frame = block.header.saved_sp.get();
        let own = bounds(block).filter(|own| own.contains(&frame.addr()))?;
        // SAFETY: **Saved frame**.
        let registers = unsafe { &*frame }.registers();
        Some(SuspendedFrame { live: frame.addr()..own.end, registers })
    }

    /// The calls in which a suspended greenlet waits, down to its own body; `None` if it is not suspended.
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

/// Bytes of stack that the current greenlet has left; `None` in a root greenlet, and where it runs on another
/// stack than its own (that of a bare [`context`](crate::context), say).
pub fn stack_remaining() -> Option<usize> {
    let here = 0_u8;
    let here = (&raw const here).addr();
    bounds(thread().current()).filter(|own| own.contains(&here)).map(|own| here - own.start)
}
