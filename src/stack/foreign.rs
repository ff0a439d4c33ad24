//! Foreign memory: a stack that the caller supplies.
//!
//! Its label does not lie in that memory but here, on the heap, since whoever holds a handle may read the
//! label after the caller has freed the memory. So these blocks are never freed, only used again.

#![expect(unsafe_code, reason = "hands out pointers into a block, and moves it between threads")]

use std::cell::Cell;
use std::mem::size_of;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::StackError;
use super::region::{BLOCK_BYTES, Label, Region};

/// Less than this is no stack under any circumstances.
const LEAST_BYTES: usize = 4 << 10;
const MOST_BYTES: usize = isize::MAX as usize;
const TOP_ALIGNMENT: usize = 64;

/// Stands in for the top of the stack: a block whose end is the label.
#[repr(C, align(64))]
struct ForeignBlock {
    block: [Cell<u64>; (BLOCK_BYTES - size_of::<Label>()) / 8],
    label: Label,
    region: Region,
}

const _: () = assert!(std::mem::offset_of!(ForeignBlock, region) == BLOCK_BYTES);

/// Blocks given back by threads that have ended.
static POOL: Mutex<Vec<Spare>> = Mutex::new(Vec::new());

pub(super) type Pool = MutexGuard<'static, Vec<Spare>>;

pub(super) fn pool() -> Pool {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Spare(NonNull<Label>);

// SAFETY: a block in the pool belongs to nobody; stale handles only read its `id`.
unsafe impl Send for Spare {}

/// The free blocks of one thread.
pub(super) struct ForeignBlocks {
    head: Cell<*mut Label>,
}

impl ForeignBlocks {
    pub(super) const fn new() -> ForeignBlocks {
        ForeignBlocks { head: Cell::new(ptr::null_mut()) }
    }

    /// A label for the memory; the memory is not touched.
    pub(super) fn take(&self, memory: *mut u8, bytes: usize) -> Result<NonNull<Label>, StackError> {
        if !(LEAST_BYTES..=MOST_BYTES).contains(&bytes) {
            return Err(StackError::Size {
                what: "memory for a stack",
                asked_bytes: bytes,
                least_bytes: LEAST_BYTES,
                most_bytes: MOST_BYTES,
            });
        }
        let label = self.pop().unwrap_or_else(new_block);
        let end = (memory.addr() + bytes) / TOP_ALIGNMENT * TOP_ALIGNMENT;
        // SAFETY: the label is that of a live block, whose region is set once and never freed.
        let (label_ref, region) = unsafe { (label.as_ref(), &*label.as_ref().region.get()) };
        label_ref.created.set(None);
        label_ref.name.set(ptr::null());
        label_ref.next.set(ptr::null_mut());
        region.base.set(memory);
        region.stride_bytes.set(end - memory.addr());
        #[cfg(feature = "valgrind")]
        super::valgrind::announce(region.bounds(label.as_ptr()));
        Ok(label)
    }

    fn pop(&self) -> Option<NonNull<Label>> {
        let Some(label) = NonNull::new(self.head.get()) else {
            return pool().pop().map(|spare| spare.0);
        };
        // SAFETY: labels in the list are those of live blocks.
        self.head.set(unsafe { label.as_ref() }.next.get());
        Some(label)
    }

    pub(super) fn put(&self, label: NonNull<Label>) {
        // SAFETY: the label is that of a block from `take`, never freed.
        unsafe { label.as_ref() }.next.set(self.head.get());
        self.head.set(label.as_ptr());
    }

    /// Leaves the free blocks to other threads.
    pub(super) fn release(&self) {
        let mut pool = pool();
        while let Some(label) = NonNull::new(self.head.get()) {
            // SAFETY: labels in the list are those of live blocks.
            self.head.set(unsafe { label.as_ref() }.next.get());
            pool.push(Spare(label));
        }
    }
}

fn new_block() -> NonNull<Label> {
    let block = Box::into_raw(Box::new(ForeignBlock {
        block: [const { Cell::new(0) }; _],
        label: Label::unused(ptr::null()),
        region: Region::without_memory(0),
    }));
    // SAFETY: the block was just made. The pointers are taken from that of the whole block, so its first
    // words can be reached from the label, too.
    unsafe {
        (*block).label.region.set(&raw const (*block).region);
        NonNull::new_unchecked(&raw mut (*block).label)
    }
}
