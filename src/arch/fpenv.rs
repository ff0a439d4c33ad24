//! Floating-point control words, saved around every switch under the feature `fpenv`.
//!
//! Off by default: reading and loading them costs more than the rest of a switch, and Rust code
//! must not change them anyway. C code that sets a rounding mode per greenlet wants them kept.

pub(super) use words::{DEFAULT, restore, save};

#[cfg(target_arch = "x86_64")]
mod words {
    use std::arch::asm;

    #[derive(Clone, Copy)]
    pub(in crate::arch) struct Words {
        mxcsr: u32,
        x87: u16,
    }

    /// As the kernel starts a thread. Source: System V ABI x86-64, 3.4.1.
    pub(in crate::arch) const DEFAULT: Words = Words { mxcsr: 0x1f80, x87: 0x037f };

    #[inline(always)]
    pub(in crate::arch) fn save() -> Words {
        let mut words = DEFAULT;
        // SAFETY: both instructions write the word that they are given and nothing else.
        unsafe {
            asm!("stmxcsr [{m}]", "fnstcw [{x}]", m = in(reg) &raw mut words.mxcsr,
                 x = in(reg) &raw mut words.x87, options(nostack, preserves_flags));
        }
        words
    }

    #[inline(always)]
    pub(in crate::arch) fn restore(words: Words) {
        // SAFETY: the words were read by `save`, or are those of a new thread.
        unsafe {
            asm!("ldmxcsr [{m}]", "fldcw [{x}]", m = in(reg) &raw const words.mxcsr,
                 x = in(reg) &raw const words.x87, options(nostack, preserves_flags));
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod words {
    use std::arch::asm;

    /// FPCR.
    pub(in crate::arch) type Words = u64;

    /// As the kernel starts a thread.
    pub(in crate::arch) const DEFAULT: Words = 0;

    #[inline(always)]
    pub(in crate::arch) fn save() -> Words {
        let words;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {w}, fpcr", w = out(reg) words, options(nostack, preserves_flags)) };
        words
    }

    #[inline(always)]
    pub(in crate::arch) fn restore(words: Words) {
        // SAFETY: the word was read by `save`, or is that of a new thread.
        unsafe { asm!("msr fpcr, {w}", w = in(reg) words, options(nostack, preserves_flags)) };
    }
}
