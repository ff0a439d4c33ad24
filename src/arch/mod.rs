//! Registers and frames: how one stack is left and another one entered. Level 0.
//!
//! Uses nothing of the crate. `context` is its public door; `greenlet` is its main user.
//!
//! ```text
//!   Header (at a stack's top)          Link (side table, outlives the stack)
//!   ┌───────────┐                      ┌──────────┐
//!   │ saved_sp ─┼─▶ Frame              │ header ──┼─▶ Header; its own once the stack is retired
//!   │ up ───────┼────────────────────▶ │ up ──────┼─▶ Link of the parent
//!   └───────────┘                      │ (a frame)│   walked through in the place of the stack
//!                                      └──────────┘
//! ```
//!
//! - **Saved frame**: the saved stack pointer of a suspended context addresses one complete
//!   [`Frame`]; nobody writes below it until the context is resumed.
//! - **No unwinding through assembly**: what is thrown at a context crosses as a value; a body
//!   is a plain `extern "C"` function, so a panic that reached it would abort.
//! - A walk through the first frame of a stack goes to the saved frame of the link above. A retired
//!   link stands in for its stack: its first words are a header and a frame, from which the walk goes
//!   on one link further. The chain ends in [`END`], whose frame has no resume address.
//!
//! The register tables, frame drawings and unwind rules stand in `asm/<arch>/`.
#![expect(unsafe_code, reason = "inline and global assembly, and the frame that they read")]

use std::arch::asm;
use std::cell::Cell;
use std::hint::assert_unchecked;
use std::mem::MaybeUninit;

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod native;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod native;

#[cfg(feature = "fpenv")]
mod fpenv;

#[cfg(feature = "hub")]
mod interrupted;

mod prefetch;

#[cfg(feature = "hub")]
pub(crate) use interrupted::{Registers, follows_a_call, is_first_call, walk_interrupted};
use native::FirstFrame;
pub(crate) use native::{Frame, Link};
#[cfg(feature = "hub")]
pub(crate) use prefetch::prefetch;
pub(crate) use prefetch::prefetch_stack;

/// One machine word that need not be initialised: a pointer, or a small value's bytes.
pub type Word = MaybeUninit<*mut u8>;

/// A body: the first function on a stack. It must not return, and must not unwind: either aborts the process.
pub(crate) type Run =
    unsafe extern "C" fn(payload: Word, tag: usize, from: *const Header, me: *const Header) -> !;

/// The part of a context that the assembly reads.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Header {
    /// Stack pointer while suspended; stale while running.
    pub(crate) saved_sp: Cell<*mut Frame>,
    /// Where a stack walk goes on above the first frame. Never null.
    pub(crate) up: Cell<*const Link>,
}

/// What arrives when a context is resumed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// The word that the other side sent.
    pub(crate) payload: Word,
    /// The tag that the other side sent.
    pub(crate) tag: usize,
    /// The header that the other side gave as its own.
    pub(crate) from: *const Header,
}

const _: () = assert!(std::mem::offset_of!(Header, saved_sp) == 0); // .Lheader_saved_sp
const _: () = assert!(std::mem::offset_of!(Header, up) == 8); // HEADER_UP

/// The end of every chain of links: a frame without resume address, at which every unwinder stops.
struct End(Link);

// SAFETY: never written after construction, and holds no pointer to thread-bound data.
unsafe impl Sync for End {}

static END: End = End(Link::end(&raw const END.0));

/// The link at which every stack walk ends.
pub(crate) const END_OF_WALK: *const Link = &raw const END.0;

impl Link {
    /// It lies where it will be used, and may be [retired](Link::retire) from now on.
    pub(crate) fn stay(&self) {
        self.saved_sp.set(self.own_frame());
    }

    /// Says whose stack this link stands for.
    #[inline(always)]
    pub(crate) fn set_header(&self, header: *const Header) {
        self.header.set(header);
    }

    /// The stack is gone: walks pass through this link itself from here on.
    #[inline(always)]
    pub(crate) fn retire(&self) {
        self.header.set((&raw const *self).cast());
    }

    /// The header, unless the link is retired.
    #[inline(always)]
    pub(crate) fn header(&self) -> Option<*const Header> {
        let header = self.header.get();
        (!std::ptr::eq(header, (&raw const *self).cast())).then_some(header)
    }
}

/// Writes the first frame of a new context on the stack that ends at `below`, and saves its place
/// in `header`: the first [`switch`] to it enters `body`.
///
/// # Safety
/// - `header.up` is set, and `header` stays at its address.
/// - The memory below `below` is a stack that nobody else uses, large enough for the body.
#[inline(always)]
pub(crate) unsafe fn prepare(header: *const Header, below: *mut u8, body: Run) {
    let sp = below.map_addr(|address| address & !15);
    // SAFETY: the frame lies right below `below`, on the stack that the caller gave us.
    let frame = unsafe { sp.sub(size_of::<FirstFrame>()) }.cast::<FirstFrame>();
    // SAFETY: as above, and 16-aligned.
    unsafe { frame.write(FirstFrame::new(header, body)) };
    // SAFETY: the caller's header is valid.
    unsafe { (*header).saved_sp.set(frame.cast()) };
}

/// Suspends the running context, whose header is `from`, and resumes `to`; returns when somebody
/// switches back to `from`.
///
/// # Safety
/// - `from` is the header of the running context and `to` that of a suspended or prepared one of
///   the same thread.
/// - The memory of this stack stays as it is until it is resumed (**Saved frame**).
/// - What the word and the tag mean is agreed between both sides.
#[inline(always)]
pub(crate) unsafe fn switch(
    from: *const Header,
    to: *const Header,
    payload: Word,
    tag: usize,
) -> Arrival {
    #[cfg(feature = "fpenv")]
    let control = fpenv::save();
    // SAFETY: the caller's promises are those of the routine.
    let arrival = unsafe { native::switch(from, to, payload, tag) };
    #[cfg(feature = "fpenv")]
    fpenv::restore(control);
    arrival
}

/// As [`switch`], by a context that is not resumed any more: saves nothing.
///
/// # Safety
/// - `from` is the header of the running context, which nobody switches to from now on; nothing on its stack is left
///   to be dropped.
/// - `to`, the word and the tag as for [`switch`].
#[inline(always)]
pub(crate) unsafe fn leave(from: *const Header, to: *const Header, payload: Word, tag: usize) -> ! {
    // SAFETY: the caller's promises are those of the routine.
    unsafe { native::leave(from, to, payload, tag) }
}

/// Gives each thread a word, which begins as the address of a static. Once in the crate, see `asm/<arch>/thread.s`.
macro_rules! word_of_each_thread {
    ($nobody:path) => {
        #[cfg(target_arch = "x86_64")]
        std::arch::global_asm!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/asm/x86_64/thread.s")),
            nobody = sym $nobody,
        );
        #[cfg(target_arch = "aarch64")]
        std::arch::global_asm!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/asm/aarch64/thread.s")),
            nobody = sym $nobody,
        );
    };
}
pub(crate) use word_of_each_thread;

unsafe extern "C" {
    fn greenlet_set_thread(word: *const ());
}

/// The word of this thread. Greenlets stay on theirs, so it may be kept across switches.
#[inline(always)]
pub(crate) fn this_thread() -> *const () {
    native::this_thread()
}

/// Sets the word of this thread.
pub(crate) fn set_this_thread(word: *const ()) {
    // SAFETY: writes the thread's own word, whatever it means.
    unsafe { greenlet_set_thread(word) }
}

/// The same address. The compiler does not know that it is, and so does not take an equal one for it that comes
/// later.
#[inline(always)]
#[expect(clippy::pointers_in_nomem_asm_block, reason = "nothing is read through it")]
pub(crate) fn as_if_unknown<T>(it: &T) -> &T {
    let mut address = &raw const *it;
    // SAFETY: no instruction, so the register is not changed.
    unsafe {
        asm!("/* {0} */", inout(reg) address, options(pure, nomem, nostack, preserves_flags));
        assert_unchecked(!address.is_null());
        &*address
    }
}

/// Gives a new context the thread's default floating-point control words (feature `fpenv`).
#[inline(always)]
pub(crate) fn start_with_default_control_words() {
    #[cfg(feature = "fpenv")]
    fpenv::restore(fpenv::DEFAULT);
}

/// Calls `visit(data)` in such a way that a stack walk inside it goes on in the suspended `frame`.
///
/// # Safety
/// - `frame` is the saved frame of a suspended context of this thread.
/// - `visit` neither unwinds nor switches.
pub(crate) unsafe fn walk(frame: *const Frame, visit: extern "C" fn(*mut ()), data: *mut ()) {
    // SAFETY: the caller's promises are those of the routine.
    unsafe { native::greenlet_walk(frame, visit, data) }
}

#[cfg(test)]
mod tests;
