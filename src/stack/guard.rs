//! Guards: the fence at the low end of every stack slot, and the choice between the two ways to build it.
//!
//! `MADV_GUARD_INSTALL` leaves the mapping in one piece, so a million guards cost no mapping at all. It
//! needs Linux 6.13 and memory that is not locked. `mprotect` always works, but splits the mapping twice
//! per stack; at `vm.max_map_count` (65,530 by default) the process loses its allocator, so these guards
//! have a budget.
//!
//! The environment variable `GREENLET_GUARD` forces one of them: `madvise` (an error where the kernel
//! cannot) or `mprotect`. It is read once. Anything else in it is ignored.

#![expect(unsafe_code, reason = "takes access away from memory")]

use std::io;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use super::advise::{self, MADV_GUARD_INSTALL, page_bytes};
use super::error::StackError;

/// How a guard is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GuardKind {
    /// `MADV_GUARD_INSTALL`: no mapping is split.
    Madvise,
    /// `mprotect`: two mappings for each stack.
    Mprotect,
}

/// Evenly spaced guards of equal size.
pub(super) struct Fence {
    pub(super) first: *mut u8,
    pub(super) stride_bytes: usize,
    pub(super) guard_bytes: usize,
    pub(super) count: usize,
}

impl Fence {
    fn guard(&self, index: usize) -> *mut u8 {
        self.first.wrapping_add(index * self.stride_bytes)
    }
}

/// What `GREENLET_GUARD` asks for.
pub(super) fn forced() -> Option<GuardKind> {
    // No lock, which another thread might hold in the moment of a fork.
    static FORCED: AtomicU8 = AtomicU8::new(UNKNOWN);
    const UNKNOWN: u8 = 3;
    let known = match FORCED.load(Ordering::Relaxed) {
        UNKNOWN => {
            let asked = std::env::var_os("GREENLET_GUARD");
            let known = match asked.as_ref().and_then(|asked| asked.to_str()) {
                Some("madvise") => 1,
                Some("mprotect") => 2,
                _ => 0,
            };
            FORCED.store(known, Ordering::Relaxed);
            known
        }
        known => known,
    };
    [None, Some(GuardKind::Madvise), Some(GuardKind::Mprotect)][usize::from(known)]
}

/// Builds guards, all or as many as the budget allows, and says how many and of which kind.
///
/// `kind` is what worked for the slots before these; `verify` asks for proof that the guards hold.
///
/// # Safety
///
/// - All guards lie in one mapping of ours, page-aligned, and nothing in them is needed.
pub(super) unsafe fn build(
    fence: &Fence,
    kind: GuardKind,
    verify: bool,
) -> Result<(usize, GuardKind), StackError> {
    if kind == GuardKind::Madvise {
        // SAFETY: the caller's promise.
        match unsafe { by_madvise(fence, verify) } {
            Ok(()) => return Ok((fence.count, GuardKind::Madvise)),
            Err(error) if forced() == Some(GuardKind::Madvise) => {
                return Err(StackError::Os(error));
            }
            // EINVAL before Linux 6.13 and in locked memory; a lie under emulators. All the same from here.
            Err(_) => {}
        }
    }
    // SAFETY: the caller's promise.
    let built = unsafe { by_mprotect(fence)? };
    Ok((built, GuardKind::Mprotect))
}

/// # Safety
///
/// As for [`build`].
unsafe fn by_madvise(fence: &Fence, verify: bool) -> io::Result<()> {
    let mut index = 0;
    while index < fence.count {
        let mut ranges = [advise::range(std::ptr::null_mut(), 0); advise::BATCH];
        let count = advise::BATCH.min(fence.count - index);
        for (offset, range) in ranges[..count].iter_mut().enumerate() {
            *range = advise::range(fence.guard(index + offset), fence.guard_bytes);
        }
        // SAFETY: the ranges are the guards, whose contents nobody needs (caller).
        unsafe { advise::advise(&ranges[..count], MADV_GUARD_INSTALL)? };
        index += count;
    }
    // SAFETY: the last page of the last guard belongs to us, and what is in it does not matter (caller).
    if verify && !unsafe { holds(fence.guard(fence.count - 1).wrapping_add(fence.guard_bytes - 1)) }
    {
        return Err(io::Error::from(io::ErrorKind::Unsupported));
    }
    Ok(())
}

/// Whether a write to `byte` is refused. The kernel does the writing, so a missing guard is no harm.
///
/// # Safety
///
/// - `byte` lies in a mapping of ours and may be overwritten.
pub(super) unsafe fn holds(byte: *mut u8) -> bool {
    // The raw call, since newer C libraries fill the buffer without entering the kernel, and would die here.
    // SAFETY: at most one byte is written, which the caller allows.
    let got = unsafe { libc::syscall(libc::SYS_getrandom, byte, 1usize, libc::GRND_INSECURE) };
    got < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}

/// # Safety
///
/// As for [`build`].
unsafe fn by_mprotect(fence: &Fence) -> Result<usize, StackError> {
    let granted = reserve(fence.count);
    if granted == 0 {
        return Err(StackError::Limit { budget: budget() });
    }
    for index in 0..granted {
        // SAFETY: the guard lies in a mapping of ours, and nothing in it is needed (caller).
        let refused = unsafe {
            libc::mprotect(fence.guard(index).cast(), fence.guard_bytes, libc::PROT_NONE) != 0
        };
        if refused {
            let error = io::Error::last_os_error();
            GUARDED.fetch_sub(granted - index, Ordering::Relaxed);
            // What stands is good; the error comes back with the next request, if it is still true then.
            return if index > 0 { Ok(index) } else { Err(StackError::Os(error)) };
        }
    }
    Ok(granted)
}

/// How many stacks of this process are guarded by `mprotect`.
static GUARDED: AtomicUsize = AtomicUsize::new(0);

/// Takes up to `wanted` guards out of the budget.
fn reserve(wanted: usize) -> usize {
    let mut granted = 0;
    let _ = GUARDED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |guarded| {
        granted = wanted.min(budget().saturating_sub(guarded));
        Some(guarded + granted)
    });
    granted
}

/// The most stacks guarded by `mprotect`: at two mappings each they may fill three quarters of
/// `vm.max_map_count`; the rest is for the allocator, libraries and threads.
fn budget() -> usize {
    const MOST: usize = 25_000;
    const DEFAULT_MAX_MAP_COUNT: usize = 65_530;
    // As in `forced`.
    static BUDGET: AtomicUsize = AtomicUsize::new(UNKNOWN);
    const UNKNOWN: usize = usize::MAX;
    match BUDGET.load(Ordering::Relaxed) {
        UNKNOWN => {
            let mappings = std::fs::read_to_string("/proc/sys/vm/max_map_count")
                .ok()
                .and_then(|text| text.trim().parse::<usize>().ok())
                .unwrap_or(DEFAULT_MAX_MAP_COUNT);
            let budget = MOST.min(mappings / 4 * 3 / 2);
            BUDGET.store(budget, Ordering::Relaxed);
            budget
        }
        budget => budget,
    }
}

/// Rounds a guard up to whole pages, at least one.
pub(super) fn round_up(guard_bytes: usize) -> Option<usize> {
    guard_bytes.max(1).checked_next_multiple_of(page_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT_BYTES: usize = 128 << 10;
    const GUARD_BYTES: usize = 64 << 10;

    /// Builds guards in a new mapping and asks the kernel which bytes it may write.
    fn built_guards_hold_and_stacks_do_not(kind: GuardKind) -> GuardKind {
        const COUNT: usize = 100;
        let mut mapping = memmap2::MmapOptions::new().len(COUNT * SLOT_BYTES).map_anon().unwrap();
        let first = mapping.as_mut_ptr();
        let fence =
            Fence { first, stride_bytes: SLOT_BYTES, guard_bytes: GUARD_BYTES, count: COUNT };
        // SAFETY: the mapping is ours, and empty.
        let (built, kind) = unsafe { build(&fence, kind, true) }.unwrap();
        assert_eq!(built, COUNT);
        for slot in 0..COUNT {
            for (offset, guarded) in [
                (0, true),
                (GUARD_BYTES / 2, true),
                (GUARD_BYTES - 1, true),
                (GUARD_BYTES, false),
                (SLOT_BYTES - 1, false),
            ] {
                let byte = first.wrapping_add(slot * SLOT_BYTES + offset);
                // SAFETY: the mapping is ours, and empty.
                assert_eq!(unsafe { holds(byte) }, guarded, "slot {slot}, byte {offset}");
            }
        }
        kind
    }

    #[test]
    fn guards_by_madvise_or_what_replaces_it_hold() {
        built_guards_hold_and_stacks_do_not(GuardKind::Madvise);
    }

    #[test]
    fn guards_by_mprotect_hold() {
        let kind = built_guards_hold_and_stacks_do_not(GuardKind::Mprotect);
        assert_eq!(kind, GuardKind::Mprotect);
    }

    #[test]
    fn budget_stays_below_the_kernels_limit() {
        let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
        let limit: usize = limit.trim().parse().unwrap();
        assert!(budget() <= 25_000 && budget() * 2 <= limit * 3 / 4);
    }
}
