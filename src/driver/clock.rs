//! The real clock.
#![expect(unsafe_code, reason = "clock_gettime(2)")]

use std::mem::MaybeUninit;

/// `CLOCK_MONOTONIC`, in nanoseconds: five centuries fit.
#[inline]
pub(super) fn monotonic_ns() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: `time` has room for a timespec; this clock always exists, so that it is written.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, time.as_mut_ptr());
        time.assume_init()
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
