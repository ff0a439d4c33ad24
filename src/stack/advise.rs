//! One piece of advice to the kernel about many ranges of memory.
//!
//! `process_madvise` on the own process takes a whole vector of ranges in one call (any advice since
//! Linux 6.13, a name for the own process without a descriptor since 6.14); elsewhere each range takes a
//! `madvise` of its own.

#![expect(unsafe_code, reason = "speaks to the kernel about memory")]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use libc::{c_int, iovec};

/// Fences pages without splitting the mapping: touching them raises `SIGSEGV` (Linux 6.13).
pub(super) const MADV_GUARD_INSTALL: c_int = 102;

/// The calling thread's own process, wherever a pidfd is asked for (Linux 6.14). Unlike a descriptor it
/// means the child after a fork.
const PIDFD_SELF: c_int = -10_000;

/// How many ranges are handed over in one call.
pub(super) const BATCH: usize = 64;

/// Whether the kernel is still believed to take vectors. Valgrind knows the call only as a warning.
pub(super) static VECTORS: AtomicBool = AtomicBool::new(!cfg!(feature = "valgrind"));

/// The size of a page.
pub(super) fn page_bytes() -> usize {
    static PAGE_BYTES: AtomicUsize = AtomicUsize::new(0);
    let known = PAGE_BYTES.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    // SAFETY: `sysconf` has no preconditions.
    let asked = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    // The kernel always knows its page size; 64 KiB is the largest there is on both architectures, so it
    // is right as a unit of rounding even if the answer were missing.
    let bytes = usize::try_from(asked).ok().filter(|b| b.is_power_of_two()).unwrap_or(64 << 10);
    PAGE_BYTES.store(bytes, Ordering::Relaxed);
    bytes
}

/// A range of memory as the kernel takes it.
pub(super) fn range(start: *mut u8, bytes: usize) -> iovec {
    iovec { iov_base: start.cast(), iov_len: bytes }
}

/// Gives one piece of advice about every range. On an error some ranges may have taken it.
///
/// # Safety
///
/// - Every range is whole pages of a mapping of ours.
/// - What the advice does to the contents (guards, zeroes) may be done to these ranges now.
pub(super) unsafe fn advise(ranges: &[iovec], advice: c_int) -> io::Result<()> {
    for batch in ranges.chunks(BATCH) {
        // SAFETY: the caller's promise covers each part of `ranges`.
        unsafe { advise_batch(batch, advice)? };
    }
    Ok(())
}

/// Gives the pages back to the kernel; they read as zeroes afterwards. Refused for locked memory, which is
/// then what it was: `MADV_DONTNEED_LOCKED` would take it, but emulators say yes to it and do nothing.
///
/// # Safety
///
/// - Every range is whole pages of a mapping of ours, and nobody needs their contents any more.
pub(super) unsafe fn discard(ranges: &[iovec]) -> io::Result<()> {
    // SAFETY: handed on.
    unsafe { advise(ranges, libc::MADV_DONTNEED) }
}

/// # Safety
///
/// As for [`advise`].
unsafe fn advise_batch(batch: &[iovec], advice: c_int) -> io::Result<()> {
    if batch.len() > 1 && VECTORS.load(Ordering::Relaxed) {
        let wanted: usize = batch.iter().map(|range| range.iov_len).sum();
        // SAFETY: `batch` is a live vector of iovecs; what happens to the ranges is the caller's promise.
        let done = unsafe {
            libc::syscall(
                libc::SYS_process_madvise,
                PIDFD_SELF,
                batch.as_ptr(),
                batch.len(),
                advice,
                0usize,
            )
        };
        if usize::try_from(done) == Ok(wanted) {
            return Ok(());
        }
        // A refusal of the ranges (EINVAL, ENOMEM) says nothing about the call itself; anything else does
        // (ENOSYS, EBADF before Linux 6.14, EPERM from a filter). Either way each range is tried alone,
        // which is harmless for those that took the advice already.
        let refusal = io::Error::last_os_error().raw_os_error();
        if done < 0 && !matches!(refusal, Some(libc::EINVAL | libc::ENOMEM)) {
            VECTORS.store(false, Ordering::Relaxed);
        }
    }
    for range in batch {
        // SAFETY: the caller's promise.
        if unsafe { libc::madvise(range.iov_base, range.iov_len, advice) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
