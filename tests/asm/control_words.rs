//! Floating-point control words: one set per thread, or with the feature `fpenv` one per greenlet.

use greenlet::{Greenlet, suspend};
use std::arch::asm;

/// MXCSR and the x87 control word; or FPCR.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Words(u64, u64);

#[cfg(target_arch = "x86_64")]
mod words {
    use super::*;

    pub(super) const DEFAULT: Words = Words(0x1f80, 0x037f);
    /// Round towards zero; upwards.
    pub(super) const TRUNCATE: Words = Words(0x1f80 | 0x6000, 0x037f | 0x0c00);
    pub(super) const UPWARDS: Words = Words(0x1f80 | 0x4000, 0x037f | 0x0800);
    /// The lower bits of MXCSR are results, not control.
    const CONTROL: u32 = 0xffc0;

    pub(super) fn get() -> Words {
        let (mut mxcsr, mut x87) = (0_u32, 0_u16);
        // SAFETY: each instruction writes the word that it is given.
        unsafe {
            asm!("stmxcsr [{}]", "fnstcw [{}]", in(reg) &raw mut mxcsr, in(reg) &raw mut x87);
        }
        Words(u64::from(mxcsr & CONTROL), u64::from(x87))
    }

    pub(super) fn set(words: Words) {
        let (mxcsr, x87) = (words.0 as u32, words.1 as u16);
        // SAFETY: the words of this file unmask nothing, and each test ends with the default ones.
        unsafe {
            asm!("ldmxcsr [{}]", "fldcw [{}]", in(reg) &raw const mxcsr, in(reg) &raw const x87);
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod words {
    use super::*;

    pub(super) const DEFAULT: Words = Words(0, 0);
    /// Round towards zero; upwards.
    pub(super) const TRUNCATE: Words = Words(3 << 22, 0);
    pub(super) const UPWARDS: Words = Words(1 << 22, 0);

    pub(super) fn get() -> Words {
        let fpcr: u64;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {}, fpcr", out(reg) fpcr) };
        Words(fpcr, 0)
    }

    pub(super) fn set(words: Words) {
        // SAFETY: the words of this file unmask nothing, and each test ends with the default ones.
        unsafe { asm!("msr fpcr, {}", in(reg) words.0) };
    }
}

use words::{DEFAULT, TRUNCATE, UPWARDS, get, set};

/// Gives a thread of the test harness back as it was, also after a failure.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        set(DEFAULT);
    }
}

/// What main finds at the beginning and after the two switches, and what the greenlet finds at its
/// beginning, after setting `UPWARDS`, and when it is resumed.
fn story() -> ([Words; 3], [Words; 3]) {
    let _restored = Restored;
    assert_eq!(get(), DEFAULT);
    let other = Greenlet::new(|()| {
        let first = get();
        set(UPWARDS);
        let set = get();
        suspend::<(), ()>(());
        [first, set, get()]
    });
    set(TRUNCATE);
    let before = get();
    let () = other.switch(());
    let between = get();
    set(TRUNCATE);
    let theirs = other.switch(());
    ([before, between, get()], theirs)
}

#[cfg(not(feature = "fpenv"))]
#[test]
fn a_switch_leaves_the_control_words_alone() {
    let (ours, theirs) = story();
    assert_eq!(ours, [TRUNCATE, UPWARDS, TRUNCATE]);
    assert_eq!(theirs, [TRUNCATE, UPWARDS, TRUNCATE]);
}

#[cfg(feature = "fpenv")]
#[test]
fn every_greenlet_has_its_own_control_words() {
    let (ours, theirs) = story();
    assert_eq!(ours, [TRUNCATE, TRUNCATE, TRUNCATE]);
    assert_eq!(theirs, [DEFAULT, UPWARDS, UPWARDS]);
}

#[cfg(feature = "fpenv")]
#[test]
fn control_words_survive_throws_and_the_death_of_others() {
    let _restored = Restored;
    set(TRUNCATE);
    let thrown = Greenlet::new(|()| {
        set(UPWARDS);
        suspend::<(), ()>(());
    });
    let () = thrown.switch(());
    assert!(thrown.try_throw::<()>(1_u8).is_err());
    assert_eq!(get(), TRUNCATE);
    let dropped = Greenlet::new(|()| {
        set(UPWARDS);
        suspend::<(), ()>(());
    });
    let () = dropped.switch(());
    drop(dropped);
    assert_eq!(get(), TRUNCATE);
}

#[cfg(feature = "fpenv")]
#[test]
fn the_rounding_mode_rounds() {
    let _restored = Restored;
    let third = || std::hint::black_box(1.0_f64) / std::hint::black_box(3.0);
    let down = third();
    let up: f64 = Greenlet::new(move |()| {
        set(UPWARDS);
        third()
    })
    .switch(());
    assert!(down < up, "{down:e} {up:e}");
    assert_eq!(third(), down);
}
