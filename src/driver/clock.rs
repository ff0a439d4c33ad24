//! The real clock.
#![expect(unsafe_code, reason = "clock_gettime(2), an instruction")]

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU8, Ordering};

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

/// The same clock as of the kernel's last tick: a quarter of the price, and late by up to
/// [`tick_ns`]; by more where the interrupt of the next tick is late, as a virtual machine's may be.
#[inline]
pub(super) fn last_tick_ns() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: as above.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, time.as_mut_ptr());
        time.assume_init()
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// How far apart the kernel's ticks are: 1 to 10 ms.
pub(super) fn tick_ns() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: as above.
    let time = unsafe {
        libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, time.as_mut_ptr());
        time.assume_init()
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The processor's own counter, by which the kernel keeps `CLOCK_MONOTONIC`: what it costs to read is a third
/// of a look at that, and it does not wait until all loads before it have ended.
///
/// It answers a moment that is not before now, nor later by more than some ten microseconds:
/// - The clock is looked at as soon as [`LONGEST`](TimeStampCounter::LONGEST) ticks have gone by since the last
///   look that was kept. The counter is read before it then, so that what has gone by is never taken for less.
/// - How long a tick lasts is measured between two such looks, of which the first reads the counter behind
///   the clock: so it is never taken for shorter. A 64th is added, as the kernel may change the clock's rate
///   (by 500 ppm, as a rule); and [`EARLY_NS`](TimeStampCounter::EARLY_NS), by which the processor may read the
///   counter before its turn (but not before an earlier look at the clock, which has a fence).
/// - A look that was interrupted is good for itself alone.
/// - Where the kernel does not keep its clock by this counter, or there is none, this is that clock. Should
///   it turn away from it later, what comes out may be wrong by as much as lies between two looks.
pub(crate) struct TimeStampCounter {
    /// The counter before the last look at the clock, and what that said.
    ticks: Cell<u64>,
    ns: Cell<u64>,
    /// The counter behind it.
    ticks_behind: Cell<u64>,
    /// A tick in 2^-32 ns; 0: not known yet.
    tick: Cell<u64>,
    /// What was answered last.
    last: Cell<u64>,
    trusted: bool,
}

impl TimeStampCounter {
    /// 0.5 to 0.1 ms, at 1 to 5 GHz.
    const LONGEST: u64 = 1 << 19;
    /// A look at the clock takes a tenth of that.
    const INTERRUPTED: u64 = 1 << 10;
    const EARLY_NS: u64 = 100;

    pub(crate) fn new() -> TimeStampCounter {
        TimeStampCounter::with(is_kept_by_counter())
    }

    fn with(trusted: bool) -> TimeStampCounter {
        TimeStampCounter {
            ticks: Cell::new(0),
            ns: Cell::new(0),
            ticks_behind: Cell::new(0),
            tick: Cell::new(0),
            last: Cell::new(0),
            trusted,
        }
    }

    /// Not before [`monotonic_ns`], for less. Never earlier than what it answered before.
    #[inline]
    pub(crate) fn now_or_later(&self) -> u64 {
        let now = self.by_ticks().unwrap_or_else(|| self.look());
        self.last.set(now.max(self.last.get()));
        self.last.get()
    }

    #[inline]
    fn by_ticks(&self) -> Option<u64> {
        if self.tick.get() == 0 {
            return None;
        }
        let gone = counter().wrapping_sub(self.ticks.get());
        // No overflow: 2^19 ticks of at most 2^44 each.
        let gone_ns = (gone < Self::LONGEST).then(|| (gone * self.tick.get()) >> 32)?;
        Some(self.ns.get() + gone_ns + Self::EARLY_NS)
    }

    #[cold]
    #[inline(never)]
    fn look(&self) -> u64 {
        if !self.trusted {
            return monotonic_ns();
        }
        let ticks = counter();
        let ns = monotonic_ns();
        self.note(ticks, ns, counter());
        ns
    }

    /// The clock said `ns`, between those ticks.
    fn note(&self, ticks: u64, ns: u64, ticks_behind: u64) {
        if ticks_behind.wrapping_sub(ticks) > Self::INTERRUPTED {
            return;
        }
        let since = ticks.wrapping_sub(self.ticks_behind.get());
        if since < Self::LONGEST / 4 {
            return; // too near to tell
        }
        // What is further off is too far: the machine may have slept meanwhile.
        if since <= 64 * Self::LONGEST {
            let measured = (u128::from(ns - self.ns.get()) << 32) / u128::from(since);
            self.tick.set((measured + measured / 64).min(1 << 44) as u64);
        }
        self.ticks.set(ticks);
        self.ticks_behind.set(ticks_behind);
        self.ns.set(ns);
    }
}

/// Does the kernel keep its clock by [`counter`]? Then that is the same on all processors, and goes on at one rate.
fn is_kept_by_counter() -> bool {
    // No lock, which another thread might hold in the moment of a fork.
    static IS: AtomicU8 = AtomicU8::new(UNKNOWN);
    const UNKNOWN: u8 = 2;
    // Source: Linux, Documentation/ABI/stable/sysfs-devices-system-clocksource.
    const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    if !cfg!(all(target_arch = "x86_64", not(miri))) {
        return false;
    }
    match IS.load(Ordering::Relaxed) {
        UNKNOWN => {
            let is = std::fs::read(SOURCE).is_ok_and(|name| name == b"tsc\n");
            IS.store(is.into(), Ordering::Relaxed);
            is
        }
        known => known == 1,
    }
}

#[inline(always)]
fn counter() -> u64 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: it is there on every such processor. Where a process is not allowed to read it, the vDSO is not
    // either; so the kernel does not let it be the clock there, and only a test asks.
    return unsafe { std::arch::x86_64::_rdtsc() };
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_before_the_clock_and_never_goes_back() {
        let counter = TimeStampCounter::new();
        let mut last = 0;
        for _ in 0..1_000_000 {
            let clock = monotonic_ns();
            let now = counter.now_or_later();
            assert!(now >= clock, "{now} is {} ns too early", clock - now);
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn without_a_counter_to_trust_it_is_the_clock() {
        let counter = TimeStampCounter::with(false);
        for _ in 0..100 {
            let clock = monotonic_ns();
            let now = counter.now_or_later();
            assert!((clock..=monotonic_ns()).contains(&now));
            assert_eq!(counter.tick.get(), 0);
        }
    }

    /// A tick of so many nanoseconds, with its 64th.
    fn tick(ns: u64) -> u64 {
        (ns << 32) + (ns << 32) / 64
    }

    #[test]
    fn the_length_of_a_tick_is_measured_between_looks_that_tell() {
        const FAR: u64 = TimeStampCounter::LONGEST;
        const START: u64 = 1000 * FAR;
        let counter = TimeStampCounter::with(true);
        let noted = |ticks, ns, behind| {
            counter.note(START + ticks, START + ns, START + behind);
            (counter.ticks.get().wrapping_sub(START), counter.tick.get())
        };
        assert_eq!(noted(0, 50, 100), (0, 0), "the first: there is nothing to compare it with");
        assert_eq!(noted(FAR / 4, FAR, FAR / 4 + 100), (0, 0), "too near");
        assert_eq!(noted(FAR, 2 * FAR, FAR + 5000), (0, 0), "interrupted");
        assert_eq!(noted(FAR + 100, 50 + 2 * FAR, FAR + 200), (FAR + 100, tick(2)));
        let asleep = 70 * FAR;
        assert_eq!(noted(asleep, asleep, asleep + 100), (asleep, tick(2)), "too far");
        let then = asleep + 100 + FAR;
        assert_eq!(noted(then, asleep + FAR, then + 100), (then, tick(1)));
        let reset = FAR;
        assert_eq!(noted(reset, asleep + 2 * FAR, reset + 100), (reset, tick(1)), "it began anew");
        counter.note(START + 2 * FAR + 100, u64::MAX, START + 2 * FAR + 200);
        assert_eq!(counter.tick.get(), 1 << 44, "no overflow");
    }

    #[test]
    fn a_look_is_good_for_so_many_ticks() {
        let counter = TimeStampCounter::with(true);
        assert_eq!(counter.by_ticks(), None, "there was none yet");
        counter.tick.set(1 << 44);
        counter.ticks.set(super::counter().wrapping_sub(TimeStampCounter::LONGEST));
        assert_eq!(counter.by_ticks(), None, "so long ago that the clock is to be looked at");
        counter.ticks.set(super::counter().wrapping_add(1 << 40));
        assert_eq!(counter.by_ticks(), None, "of a processor that is behind");
    }
}
