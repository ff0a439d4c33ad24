//! What says that a descriptor is ready. Each kind of it is a sibling behind this `enum`.

use super::super::{Capabilities, Fd, Kind, Settings};
use super::epoll::Epoll;
use super::levels::Levels;
use super::table::Table;
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
    /// Nothing is open under the number.
    pub(super) const GONE: Ready = Ready(64);
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
    /// poll and select.
    Levels(Levels),
}

impl Poller {
    /// Makes the poller that is named, or the best one that works here; and says why it is not epoll,
    /// if that was left open and refused.
    ///
    /// # Errors
    /// Those of the named one; those of the last where the choice was left open.
    pub(super) fn new(settings: &Settings) -> io::Result<(Poller, Option<String>)> {
        let disabled = |what, name: &str| match settings.disabled.has(what) {
            true => {
                let why = format!("{name} is disabled by the settings");
                Err(io::Error::new(io::ErrorKind::Unsupported, why))
            }
            false => Ok(()),
        };
        let epoll = || {
            disabled(Capabilities::EPOLL, "epoll")?;
            Ok(Poller::Epoll(Epoll::new()?))
        };
        let poll = || {
            disabled(Capabilities::POLL, "poll")?;
            Ok(Poller::Levels(Levels::poll()?))
        };
        let select = || Levels::select().map(Poller::Levels);
        match settings.kind {
            Some(Kind::Poll) => return Ok((poll()?, None)),
            Some(Kind::Select) => return Ok((select()?, None)),
            Some(Kind::Epoll) => return Ok((epoll()?, None)),
            _ => {} // left open
        }
        let because = |name, error: io::Error| format!("{name} refused: {error}");
        let why = match epoll() {
            Ok(epoll) => return Ok((epoll, None)),
            Err(error) => because("epoll", error),
        };
        match poll() {
            Ok(poll) => Ok((poll, Some(why))),
            Err(error) => Ok((select()?, Some(format!("{why}; {}", because("poll", error))))),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Poller::Epoll(_) => Kind::Epoll,
            Poller::Levels(levels) if levels.selects() => Kind::Select,
            Poller::Levels(_) => Kind::Poll,
        }
    }

    /// Begins to watch a descriptor. What is ready already is reported, too, by the next `wait`.
    ///
    /// # Errors
    /// `EPERM`: it cannot be watched, because it never waits. `EEXIST`: what is open under this
    /// number is watched already, then `modify` it. [`BEYOND_SELECT`](super::BEYOND_SELECT).
    pub(super) fn register(&mut self, fd: Fd, wanted: Ready) -> io::Result<()> {
        match self {
            Poller::Epoll(epoll) => epoll.register(fd, wanted),
            Poller::Levels(levels) => levels.register(fd),
        }
    }

    /// Watches the waker's descriptor, which is in no slot of the table, from now on.
    pub(super) fn hear(&mut self, waker: Fd) -> io::Result<()> {
        match self {
            Poller::Epoll(epoll) => epoll.register(waker, Ready::READ),
            Poller::Levels(levels) => {
                levels.hear(waker);
                Ok(())
            }
        }
    }

    /// Watches under this serial and for these directions from now on. What is ready is reported
    /// anew.
    pub(super) fn modify(&mut self, fd: Fd, wanted: Ready) -> io::Result<()> {
        match self {
            Poller::Epoll(epoll) => epoll.modify(fd, wanted),
            // They read the table.
            Poller::Levels(_) => Ok(()),
        }
    }

    /// Watches the number no longer. Nothing happens if somebody has closed it.
    pub(super) fn forget(&mut self, number: RawFd) {
        match self {
            Poller::Epoll(epoll) => epoll.forget(number),
            Poller::Levels(levels) => levels.forget(number),
        }
    }

    /// As `forget`, for what is about to be closed here.
    #[inline]
    pub(super) fn closes(&mut self, number: RawFd) {
        match self {
            // The kernel takes it out by itself. Where a copy of the descriptor keeps it open, its
            // events come under a serial that nobody has any more.
            Poller::Epoll(_) => {}
            Poller::Levels(levels) => levels.forget(number),
        }
    }

    /// Waits for so many nanoseconds at most, `None` for ever, and says how many events there are.
    /// None after a signal.
    #[inline]
    pub(super) fn wait(
        &mut self,
        timeout_ns: Option<u64>,
        table: &Table,
        calls: &mut u64,
    ) -> usize {
        match self {
            Poller::Epoll(epoll) => epoll.wait(timeout_ns),
            Poller::Levels(levels) => levels.wait(timeout_ns, table, calls),
        }
    }

    /// One of the events of the last `wait`.
    #[inline]
    pub(super) fn event(&self, index: usize) -> Event {
        match self {
            Poller::Epoll(epoll) => epoll.event(index),
            Poller::Levels(levels) => levels.event(index),
        }
    }

    /// Hears whether an event has moved anybody.
    #[inline]
    pub(super) fn served(&mut self, number: RawFd, has_moved: bool) {
        match self {
            // An edge is reported once.
            Poller::Epoll(_) => {}
            Poller::Levels(levels) => levels.served(number, has_moved),
        }
    }
}

impl fmt::Display for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Poller::Epoll(epoll) => epoll.fmt(f),
            Poller::Levels(levels) => levels.fmt(f),
        }
    }
}
