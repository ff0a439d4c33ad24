//! The system's allocator, watched: nobody may ask it for nothing.
#![expect(unsafe_code, reason = "an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Watched;

#[global_allocator]
static WATCHED: Watched = Watched;

thread_local! {
    static EMPTY: Cell<usize> = const { Cell::new(0) };
}

/// How often this thread asked for zero bytes, which the contract of an allocator forbids.
pub(crate) fn empty_requests() -> usize {
    EMPTY.get()
}

// SAFETY: everything is forwarded.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() == 0 {
            EMPTY.set(EMPTY.get() + 1);
        }
        // SAFETY: forwarded.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: forwarded.
        unsafe { System.dealloc(pointer, layout) }
    }
}
