//! The real clock.
#![expect(unsafe_code, reason = "clock_gettime(2)")]

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

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
/// [`tick_ns`].
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
/// It answers a moment that is not before now, nor later by more than a few microseconds:
/// - The clock is looked at as soon as [`LONGEST`](Counter::LONGEST) ticks have gone by since the last time.
///   The counter is read before it then, so that what has gone by is never taken for less.
/// - How long a tick lasts is measured between two such looks, of which the first reads the counter behind
///   the clock: so it is never taken for shorter. A 64th is added, as the kernel may change the clock's rate
///   (by 500 ppm, as a rule).
/// - Where the kernel does not keep its clock by this counter, or there is none, this is that clock. Should
///   it turn away from it later, what comes out may be wrong by as much as lies between two looks.
pub(crate) struct Counter {
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

impl Counter {
    /// 0.1 to 0.5 ms, at 1 to 5 GHz.
    const LONGEST: u64 = 1 << 19;

    pub(crate) fn new() -> Counter {
        Counter::with(is_kept_by_counter())
    }

    fn with(trusted: bool) -> Counter {
        let zero = || Cell::new(0);
        Counter {
            ticks: zero(),
            ns: zero(),
            ticks_behind: zero(),
            tick: zero(),
            last: zero(),
            trusted,
        }
    }

    /// Not before [`monotonic_ns`], for less. Never earlier than what it answered before.
    #[inline]
    pub(crate) fn now_or_later(&self) -> u64 {
        let gone = counter().wrapping_sub(self.ticks.get());
        let now = match gone < Counter::LONGEST && self.tick.get() != 0 {
            // No overflow: 2^19 ticks of at most 2^44 each.
            true => self.ns.get() + ((gone * self.tick.get()) >> 32),
            false => self.look(),
        };
        self.last.set(now.max(self.last.get()));
        self.last.get()
    }

    #[cold]
    #[inline(never)]
    fn look(&self) -> u64 {
        let ticks = counter();
        let ns = monotonic_ns();
        if self.trusted
            && self.measure(ticks.wrapping_sub(self.ticks_behind.get()), ns - self.ns.get())
        {
            self.ticks.set(ticks);
            self.ticks_behind.set(counter());
            self.ns.set(ns);
        }
        ns
    }

    /// So much lies between the last look and this one. Is that enough, so that the next is compared with this?
    fn measure(&self, ticks: u64, ns: u64) -> bool {
        let enough = ticks >= Counter::LONGEST / 8;
        // Else the machine may have slept meanwhile.
        if enough && ticks <= 64 * Counter::LONGEST {
            let measured = (u128::from(ns) << 32) / u128::from(ticks);
            let tick = (measured + measured / 64).min(1 << 44) as u64;
            // A look that was interrupted shows it too long, once.
            let before = self.tick.get();
            self.tick.set(if before == 0 { tick } else { tick.min(before + before / 64) });
        }
        enough
    }
}

/// Does the kernel keep its clock by [`counter`]? Then that is the same on all processors, and goes on at one rate.
fn is_kept_by_counter() -> bool {
    static IS: OnceLock<bool> = OnceLock::new();
    // Source: Linux, Documentation/ABI/stable/sysfs-devices-system-clocksource.
    const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    cfg!(all(target_arch = "x86_64", not(miri)))
        && *IS.get_or_init(|| std::fs::read(SOURCE).is_ok_and(|name| name == b"tsc\n"))
}

#[inline(always)]
fn counter() -> u64 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a process that may not run it has no clock either: the vDSO reads the same counter.
    return unsafe { std::arch::x86_64::_rdtsc() };
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_before_the_clock_and_never_goes_back() {
        let counter = Counter::new();
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
        let counter = Counter::with(false);
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
        const FAR: u64 = Counter::LONGEST;
        let counter = Counter::with(true);
        assert!(!counter.measure(FAR / 8 - 1, FAR), "too near: measured from the same look again");
        assert!(counter.measure(65 * FAR, FAR), "too far: the machine may have slept");
        assert_eq!(counter.tick.get(), 0);
        assert!(counter.measure(FAR, 2 * FAR));
        assert_eq!(counter.tick.get(), tick(2));
        assert!(counter.measure(FAR, 9 * FAR), "interrupted between the counter and the clock");
        assert_eq!(counter.tick.get(), tick(2) + tick(2) / 64);
        assert!(counter.measure(FAR, FAR));
        assert_eq!(counter.tick.get(), tick(1));
        assert!(counter.measure(FAR, u64::MAX), "no overflow");
    }
}
