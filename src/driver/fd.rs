//! A descriptor as this crate names it.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU32, Ordering};

/// The kernel's number, and a serial that no two descriptors share that were open under one number
/// at different times: what is remembered of a number that has since been closed and given out
/// again does not apply to the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fd {
    number: RawFd,
    serial: u32,
}

impl Fd {
    /// A descriptor that was just opened, or was handed to us: it gets a serial of its own.
    pub(crate) fn new(number: RawFd) -> Fd {
        // Wraps after four billion; then two must share the number, too, to be confused.
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Fd { number, serial: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// One that has a serial already.
    #[cfg(test)]
    pub(crate) fn with_serial(number: RawFd, serial: u32) -> Fd {
        Fd { number, serial }
    }

    /// Numbers of simulated descriptors have this bit: so far up the kernel has none (`fs.nr_open` is
    /// 2^20 by default), and whoever asks it by mistake is told `EBADF`.
    #[cfg(feature = "sim")]
    pub(crate) const SIMULATED: RawFd = 1 << 30;

    /// Does it name something in a simulated world?
    #[inline]
    pub(crate) fn is_simulated(self) -> bool {
        #[cfg(feature = "sim")]
        return self.number & Fd::SIMULATED != 0 && self.number > 0;
        #[cfg(not(feature = "sim"))]
        false
    }

    /// The number; the kernel's, unless it [is simulated](Fd::is_simulated).
    #[inline]
    pub(crate) fn number(self) -> RawFd {
        self.number
    }

    /// For people: without what says which world it is of.
    pub(crate) fn number_in_its_world(self) -> RawFd {
        if self.is_simulated() { self.number & 0xF_FFFF } else { self.number }
    }

    /// Which descriptor of that number.
    #[inline]
    pub(crate) fn serial(self) -> u32 {
        self.serial
    }
}
