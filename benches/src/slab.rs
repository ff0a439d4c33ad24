//! Stacks for the peers, laid out exactly as ours.
//!
//! So that a ratio compares switches and not stack layouts, every peer that takes stacks from outside
//! gets the same ones: slots of one no-reserve mapping without huge pages, 128 KiB apart, the lower
//! 64 KiB a guard region, tops staggered by 32 x 64 B, reused last in first out.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::ptr;

/// Distance between two slots.
pub const STRIDE: usize = 128 * 1024;
/// Guard at the low end of a slot.
pub const GUARD: usize = 64 * 1024;
const SLOTS_PER_SLAB: usize = 1024;
const STAGGER_STEPS: usize = 32;
const STAGGER_BYTES: usize = 64;
/// Linux 6.13; not named by libc yet.
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// A stack, given back to the thread's pool when dropped.
pub struct Slot {
    top: usize,
}

thread_local! {
    // A pointer without a destructor, so that reading it costs one instruction.
    static FREE: Cell<*mut Vec<usize>> = const { Cell::new(ptr::null_mut()) };
}

impl Slot {
    /// Takes the stack that was given back last, or one of a new slab.
    #[inline]
    pub fn take() -> Slot {
        let free = FREE.get();
        if !free.is_null() {
            // SAFETY: the list is this thread's own and no reference to it outlives a call here.
            if let Some(top) = unsafe { (*free).pop() } {
                return Slot { top };
            }
        }
        Slot { top: take_from_new_slab() }
    }

    /// The staggered highest address, 64-byte aligned.
    #[inline]
    pub fn top(&self) -> usize {
        self.top
    }

    /// The lowest address of the slot, guard included.
    #[inline]
    pub fn limit(&self) -> usize {
        // Slabs are aligned to the stride, and a top lies at most 960 bytes below the next slot.
        (self.top - 1) & !(STRIDE - 1)
    }

    /// Gives the stack up without giving it back.
    #[inline]
    pub fn into_top(self) -> usize {
        std::mem::ManuallyDrop::new(self).top
    }

    /// The stack that [`Slot::into_top`] gave up.
    ///
    /// # Safety
    /// - `top` came from `into_top` on this thread, once.
    #[inline]
    pub unsafe fn from_top(top: usize) -> Slot {
        Slot { top }
    }
}

impl Drop for Slot {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a slot exists, so the list does; it is this thread's own (`Slot` is made and, by
        // the measured loops, dropped on one thread) and no reference to it outlives a call here.
        unsafe { (*FREE.get()).push(self.top) }
    }
}

// SAFETY: base and limit enclose a mapping that lives for ever, with a guard at its low end and more
// than `MIN_STACK_SIZE` bytes above it; both are aligned to 64.
unsafe impl corosensei::stack::Stack for Slot {
    #[inline]
    fn base(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.top).expect("a top is not null")
    }

    #[inline]
    fn limit(&self) -> NonZeroUsize {
        NonZeroUsize::new(Slot::limit(self)).expect("slabs do not begin at address 0")
    }
}

#[cold]
fn take_from_new_slab() -> usize {
    if FREE.get().is_null() {
        FREE.set(Box::into_raw(Box::default()));
    }
    let bytes = (SLOTS_PER_SLAB + 1) * STRIDE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a fresh anonymous mapping touches no memory that anybody else knows.
    let mapping = unsafe { libc::mmap(ptr::null_mut(), bytes, access, flags, -1, 0) };
    assert_ne!(mapping, libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
    // SAFETY: the range is the mapping made above; the advice changes no content.
    unsafe { libc::madvise(mapping, bytes, libc::MADV_NOHUGEPAGE) };

    let first = (mapping as usize).next_multiple_of(STRIDE);
    // SAFETY: a slab exists on this thread only from here on, and the list was made above.
    let free = unsafe { &mut *FREE.get() };
    free.reserve(2 * SLOTS_PER_SLAB);
    for index in (0..SLOTS_PER_SLAB).rev() {
        let slot = first + index * STRIDE;
        install_guard(slot);
        free.push(slot + STRIDE - index % STAGGER_STEPS * STAGGER_BYTES);
    }
    free.pop().expect("a slab has slots")
}

fn install_guard(slot: usize) {
    let slot = slot as *mut libc::c_void;
    // SAFETY: the range is the unused low half of a slot in a mapping of our own.
    let refused = unsafe { libc::madvise(slot, GUARD, MADV_GUARD_INSTALL) };
    if refused != 0 {
        // SAFETY: as above.
        let refused = unsafe { libc::mprotect(slot, GUARD, libc::PROT_NONE) };
        assert_eq!(refused, 0, "mprotect: {}", std::io::Error::last_os_error());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_apart_staggered_and_reused_last_in_first_out() {
        let (first, second) = (Slot::take(), Slot::take());
        assert_eq!(second.limit() - first.limit(), STRIDE);
        assert_eq!(first.limit() % STRIDE, 0);
        assert_eq!(first.top() - first.limit(), STRIDE);
        assert_eq!(second.top() - second.limit(), STRIDE - STAGGER_BYTES);
        let (low, high) = (first.top(), second.top());
        drop(first);
        drop(second);
        assert_eq!((Slot::take().into_top(), Slot::take().into_top()), (high, low));
    }

    #[test]
    fn more_slots_than_one_slab_holds() {
        let slots: Vec<Slot> = (0..SLOTS_PER_SLAB * 2 + 1).map(|_| Slot::take()).collect();
        for slot in &slots {
            // SAFETY: the eight bytes below a top belong to the slot, which nobody else uses.
            unsafe { ((slot.top() - 8) as *mut u64).write(1) };
        }
    }
}
