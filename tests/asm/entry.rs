//! The first instruction of a body: alignment, direction flag, and the end of the chain of frame
//! pointers, which is walked by hand.

use crate::harness::{ALIGNED, DIRECTION, Entered, first};
use greenlet::context::{Context, Stack, Word, switch};

/// What a body found, and how many frames its chain of frame pointers has.
#[repr(C)]
#[derive(Default)]
struct Found {
    entered: Entered,
    frames: usize,
}

/// Follows the chain from `frame`, the frame of the entry, and from wherever this function is.
pub(crate) unsafe extern "C" fn walk_by_hand(
    payload: Word,
    _: usize,
    from: *const Context,
    me: *const Context,
    frame: *const usize,
) -> ! {
    // SAFETY: `found_by` sends a `Found`, and waits.
    let found = unsafe { &mut *payload.assume_init().cast::<Found>() };
    let mut next = frame;
    while !next.is_null() && found.frames < 1_000 {
        assert!(next.cast::<u8>() < me.cast(), "{next:p} lies above the stack that ends at {me:p}");
        found.frames += 1;
        // SAFETY: a frame pointer addresses the one before it; checked to lie on this stack.
        next = std::ptr::with_exposed_provenance(unsafe { *next });
    }
    loop {
        // SAFETY: `from` waits in its switch.
        unsafe { switch(me, from, payload, 0) };
    }
}

#[inline(never)]
fn found_by() -> Found {
    let stack = Stack::new(64 * 1024).unwrap();
    let main = Context::running();
    let mut found = Found::default();
    let word = Word::new((&raw mut found).cast());
    // SAFETY: the stack is new and outlives the context, which is abandoned before it goes.
    unsafe {
        let other = Context::start(stack.top(), first);
        switch(&main, other, word, 0);
    }
    found
}

#[test]
fn a_body_begins_as_the_abi_says() {
    let found = found_by();
    assert_eq!(found.entered.sp % 16, ALIGNED, "{:?}", found.entered);
    assert_eq!(found.entered.flags & DIRECTION, 0, "{:?}", found.entered);
}

#[test]
fn the_chain_of_frame_pointers_ends_at_the_entry() {
    let found = found_by();
    assert_eq!(found.entered.frame_pointer, 0, "{:?}", found.entered);
    assert_eq!(found.frames, 1, "the entry's own frame, and nothing above it");
}

/// The chain as `perf record --call-graph fp` reads it, from deep inside a greenlet. Without frame
/// pointers (x86_64, unless they are forced) the register still holds the entry's zero; optimised
/// code may then use it for anything, so there is no chain to be tested.
#[test]
#[cfg(any(target_arch = "aarch64", debug_assertions))]
fn a_chain_from_inside_a_greenlet_ends() {
    #[inline(never)]
    fn deeper(levels: usize) -> usize {
        if levels == 0 {
            return std::hint::black_box(chain_length());
        }
        std::hint::black_box(deeper(levels - 1))
    }
    let frames: usize = greenlet::Greenlet::new(deeper).switch(20_usize);
    let none = cfg!(target_arch = "x86_64") && frames == 0;
    assert!(none || (22..1_000).contains(&frames), "{frames} frames");
}

/// Frames from here to the end of the chain.
#[cfg(any(target_arch = "aarch64", debug_assertions))]
#[inline(never)]
fn chain_length() -> usize {
    let bounds = greenlet::current().stack_bounds().unwrap();
    let mut next: usize;
    // SAFETY: reads a register.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!("mov {}, rbp", out(reg) next, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!("mov {}, x29", out(reg) next, options(nomem, nostack, preserves_flags));
    }
    let mut frames = 0;
    while next != 0 && frames < 1_000 {
        assert!(bounds.contains(&next), "frame {frames} at {next:#x}, stack {bounds:x?}");
        frames += 1;
        // SAFETY: checked to lie on this stack.
        next = unsafe { *std::ptr::with_exposed_provenance::<usize>(next) };
    }
    frames
}
