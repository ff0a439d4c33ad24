//! Pieces of memory that come and go with tasks: kept for the next one.
#![expect(unsafe_code, reason = "hands out and takes back raw memory")]

use super::Hub;
use crate::greenlet::scheduler;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{NonNull, null_mut};

/// Pieces are multiples of this, and aligned to it at most.
const STEP_BYTES: usize = 64;
/// Larger ones are left to the allocator.
const STEPS: usize = 8;
/// As many of each size are kept.
const MOST_KEPT: u32 = 4096;

/// Free pieces by size; the first word of each leads to the next.
pub(super) struct Pieces([(Cell<*mut Piece>, Cell<u32>); STEPS]);

struct Piece {
    next: *mut Piece,
}

/// The size class of a layout, if there is one.
#[inline(always)]
fn class(layout: Layout) -> Option<usize> {
    let steps = layout.size().div_ceil(STEP_BYTES);
    ((1..=STEPS).contains(&steps) && layout.align() <= STEP_BYTES).then(|| steps - 1)
}

/// What is really allocated for a class.
#[inline(always)]
fn layout_of(class: usize) -> Layout {
    let bytes = (class + 1) * STEP_BYTES;
    // SAFETY: a small multiple of a power of two.
    unsafe { Layout::from_size_align_unchecked(bytes, STEP_BYTES) }
}

impl Pieces {
    pub(super) const fn new() -> Pieces {
        Pieces([const { (Cell::new(null_mut()), Cell::new(0)) }; STEPS])
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        for (class, (first, _)) in self.0.iter().enumerate() {
            let mut piece = first.get();
            while !piece.is_null() {
                // SAFETY: a free piece of this class, made by `take`.
                unsafe {
                    let next = (*piece).next;
                    dealloc(piece.cast(), layout_of(class));
                    piece = next;
                }
            }
        }
    }
}

impl Hub {
    /// Memory for a value of this layout, which is not empty.
    #[inline]
    pub(crate) fn take_memory(&self, layout: Layout) -> NonNull<u8> {
        let layout = match class(layout) {
            Some(class) => {
                let (first, count) = &self.memory.0[class];
                if let Some(piece) = NonNull::new(first.get()) {
                    // SAFETY: a free piece, which holds the address of the next.
                    first.set(unsafe { piece.as_ref() }.next);
                    count.set(count.get() - 1);
                    return piece.cast();
                }
                layout_of(class)
            }
            None => layout,
        };
        // SAFETY: not of size 0.
        NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
    }
}

/// Gives memory back to this thread's hub, or to the allocator where there is none any more.
///
/// # Safety
/// - It came from [`Hub::take_memory`] with the same layout, on this thread, and nobody uses it.
#[inline]
pub(crate) unsafe fn give_back_memory(memory: NonNull<u8>, layout: Layout) {
    let class = class(layout);
    // SAFETY: null or a hub, as in `hub()`. No other thread's: handles do not leave their thread.
    let hub = unsafe { scheduler().cast::<Hub>().as_ref() };
    if let (Some(class), Some(hub)) = (class, hub) {
        let (first, count) = &hub.memory.0[class];
        if count.get() < MOST_KEPT {
            let piece = memory.cast::<Piece>();
            // SAFETY: large enough and aligned for a word; nobody uses it.
            unsafe { piece.write(Piece { next: first.get() }) };
            first.set(piece.as_ptr());
            count.set(count.get() + 1);
            return;
        }
    }
    // SAFETY: made by `alloc` with this layout.
    unsafe { dealloc(memory.as_ptr(), class.map_or(layout, layout_of)) };
}
