//! What says that a descriptor is ready. Each kind of it is a sibling behind this `enum`.

use super::super::Fd;
use super::epoll::Epoll;
use std::fmt;
use std::io;
use std::ops::BitOr;
use std::os::fd::RawFd;

/// A set of directions, wanted or ready, and of what else is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready(u8);

impl Ready {
    pub(super) const NONE: Ready = Ready(0);
    pub(super) const READ: Ready = Ready(1);
    pub(super) const WRITE: Ready = Ready(2);
    /// Nothing will come that has not come yet: end of file, a reset, an error. Never taken back.
    pub(super) const READ_ENDED: Ready = Ready(4);
    pub(super) const WRITE_ENDED: Ready = Ready(8);
    /// There is a mark in the stream, at which a read stops short.
    pub(super) const URGENT: Ready = Ready(16);
    /// It was shut down for reading, by either side; a part of `READ_ENDED`.
    pub(super) const SHUT: Ready = Ready(32);
    pub(super) const BOTH: Ready = Ready(1 | 2);

    /// Does the set hold any of these?
    #[inline]
    pub(super) fn any(self, of: Ready) -> bool {
        self.0 & of.0 != 0
    }

    #[inline]
    pub(super) fn without(self, other: Ready) -> Ready {
        Ready(self.0 & !other.0)
    }
}

impl BitOr for Ready {
    type Output = Ready;

    #[inline]
    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

/// What the poller has to say of one descriptor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) number: RawFd,
    /// As it was registered: an older one than the table's belongs to a descriptor that is gone.
    pub(super) serial: u32,
    pub(super) ready: Ready,
}

/// The poller of this thread.
pub(super) enum Poller {
    Epoll(Epoll),
}

impl Poller {
    /// Begins to watch a descriptor. What is ready already is reported, too, by the next `wait`.
    ///
    /// # Errors
    /// `EPERM`: it cannot be watched, because it never waits. `EEXIST`: what is open under this
    /// number is watched already, then `modify` it.
    pub(super) fn register(&mut self, fd: Fd, wanted: Ready) -> io::Result<()> {
        match self {
            Poller::Epoll(epoll) => epoll.register(fd, wanted),
        }
    }

    /// Watches under this serial and for these directions from now on. What is ready is reported
    /// anew.
    pub(super) fn modify(&mut self, fd: Fd, wanted: Ready) -> io::Result<()> {
        match self {
            Poller::Epoll(epoll) => epoll.modify(fd, wanted),
        }
    }

    /// Watches the number no longer. Nothing happens if somebody has closed it.
    pub(super) fn forget(&mut self, number: RawFd) {
        match self {
            Poller::Epoll(epoll) => epoll.forget(number),
        }
    }

    /// Waits for so many nanoseconds at most, `None` for ever, and says how many events there are.
    /// None after a signal.
    #[inline]
    pub(super) fn wait(&mut self, timeout_ns: Option<u64>) -> usize {
        match self {
            Poller::Epoll(epoll) => epoll.wait(timeout_ns),
        }
    }

    /// One of the events of the last `wait`.
    #[inline]
    pub(super) fn event(&self, index: usize) -> Event {
        match self {
            Poller::Epoll(epoll) => epoll.event(index),
        }
    }
}

impl fmt::Display for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Poller::Epoll(epoll) => epoll.fmt(f),
        }
    }
}
