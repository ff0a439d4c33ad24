//! A hint to the processor.
#![expect(unsafe_code, reason = "an instruction")]

/// Begins to load the top of a stack, at whose very end a block lies: its first line, and the frames of a few calls
/// below it.
#[inline(always)]
pub(crate) fn prefetch_stack(block: *const u8) {
    const LINES: usize = 4;
    for line in 0..LINES {
        prefetch(block.wrapping_sub(line * 64));
    }
}

/// Begins to load the cache line at this address, which need not be valid. For what is far apart, each
/// on a page of its own, a few steps before it is needed.
#[inline(always)]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: it reads nothing that the program could see, and faults nowhere.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let _ = address;
}
