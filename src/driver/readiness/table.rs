//! What is known of each descriptor number: what it is registered as, what is ready, who waits.

use super::super::{Fd, Request};
use super::poller::Ready;
use super::queue::Queue;
use std::os::fd::RawFd;

/// Where an entry waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// For something to read, in order.
    Reading,
    /// For room to write, in order.
    Writing,
    /// For something of its own, such as the error queue: it must not hold up others.
    Apart,
    /// For something of which no event tells; it is tried again after a pause.
    Again,
}

impl Lane {
    pub(super) fn of(request: &Request) -> Lane {
        match *request {
            Request::Recv { flags, .. }
            | Request::RecvPooled { flags, .. }
            | Request::RecvMessage { flags, .. }
                if flags & (libc::MSG_ERRQUEUE | libc::MSG_OOB) != 0 =>
            {
                Lane::Apart
            }
            Request::Poll { .. } => Lane::Apart,
            Request::Connect { .. }
            | Request::Send { .. }
            | Request::SendMessage { .. }
            | Request::Write { .. } => Lane::Writing,
            _ => Lane::Reading,
        }
    }

    /// What must be ready for it, and what is as good because it will not change any more.
    #[inline]
    pub(super) fn needs(self) -> (Ready, Ready) {
        match self {
            Lane::Reading => (Ready::READ, Ready::READ_ENDED),
            Lane::Writing => (Ready::WRITE, Ready::WRITE_ENDED),
            Lane::Apart | Lane::Again => (Ready::NONE, Ready::NONE),
        }
    }
}

/// One descriptor number. Entries wait in it only while it is watched.
pub(super) struct Slot {
    /// Whose registration it is, if `is_watched`.
    pub(super) serial: u32,
    pub(super) is_watched: bool,
    /// It was registered for `Poll` alone: somebody else may close it at any time, so that the
    /// registration goes with the last who polls.
    pub(super) is_borrowed: bool,
    /// A short read means that there is no more, a short write that there is no room.
    pub(super) trusts_short: bool,
    /// Not in it: a system call has said no, and there was no event since.
    pub(super) ready: Ready,
    lanes: [Queue; 3],
}

impl Slot {
    fn new() -> Slot {
        Slot {
            serial: 0,
            is_watched: false,
            is_borrowed: false,
            trusts_short: false,
            ready: Ready::NONE,
            lanes: Default::default(),
        }
    }

    /// Is this what the poller knows under this serial?
    #[inline]
    pub(super) fn is_of(&self, serial: u32) -> bool {
        self.is_watched && self.serial == serial
    }

    #[inline]
    pub(super) fn lane(&mut self, lane: Lane) -> &mut Queue {
        &mut self.lanes[lane as usize]
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lanes.iter().all(Queue::is_empty)
    }

    /// What those wait for who are in the lanes, in poll's words; `None` if there is nobody.
    fn wanted(&self) -> Option<i16> {
        if self.is_idle() {
            return None;
        }
        let [reading, writing, apart] = &self.lanes;
        let mut events = 0;
        if !reading.is_empty() {
            events |= libc::POLLIN | libc::POLLRDHUP;
        }
        if !writing.is_empty() {
            events |= libc::POLLOUT;
        }
        for entry in apart.iter() {
            events |= match entry.request {
                Request::Poll { events, .. } => events,
                Request::Recv { flags, .. } | Request::RecvMessage { flags, .. }
                    if flags & libc::MSG_OOB != 0 =>
                {
                    libc::POLLPRI
                }
                // The error queue: poll always tells of errors.
                _ => 0,
            };
        }
        Some(events)
    }

    /// Might a system call do something now?
    #[inline]
    pub(super) fn may_try(&self, lane: Lane) -> bool {
        let (ready, ended) = lane.needs();
        lane == Lane::Apart || self.ready.any(ready | ended)
    }

    /// Is this `EAGAIN` the end? A datagram socket that was shut down says so to those alone who would
    /// wait in recv(2); no further event follows.
    pub(super) fn has_ended(&self, request: &Request, result: i32) -> bool {
        let receives = matches!(request, Request::Recv { .. } | Request::RecvMessage { .. });
        result == -libc::EAGAIN
            && receives
            && Lane::of(request) == Lane::Reading
            && self.ready.any(Ready::SHUT)
    }

    /// A system call has said that there is nothing now.
    #[inline]
    pub(super) fn not_ready(&mut self, lane: Lane) {
        self.ready = self.ready.without(lane.needs().0);
    }
}

/// A slot per descriptor number, up to the highest that ever waited.
#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
}

impl Table {
    #[inline]
    pub(super) fn get(&mut self, number: RawFd) -> Option<&mut Slot> {
        // A negative number becomes a huge one.
        self.slots.get_mut(number as usize)
    }

    /// The slot that the poller knows as this very descriptor.
    #[inline]
    pub(super) fn watched(&mut self, fd: Fd) -> Option<&mut Slot> {
        self.get(fd.number()).filter(|slot| slot.is_of(fd.serial()))
    }

    /// Everybody who waits for events: number, serial, and what for in poll's words.
    pub(super) fn wanted(&self) -> impl Iterator<Item = (RawFd, u32, i16)> {
        let watched = self.slots.iter().enumerate().filter(|(_, slot)| slot.is_watched);
        watched.filter_map(|(number, slot)| Some((number as RawFd, slot.serial, slot.wanted()?)))
    }

    /// The slot of an open descriptor.
    pub(super) fn slot(&mut self, number: RawFd) -> &mut Slot {
        let index = usize::try_from(number).expect("an open descriptor");
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, Slot::new);
        }
        &mut self.slots[index]
    }

    /// Forgets what is registered under a number; says whether there was something.
    pub(super) fn clear(&mut self, number: RawFd) -> bool {
        let Some(slot) = self.get(number) else { return false };
        debug_assert!(slot.is_idle(), "an entry still waits for descriptor {number}");
        std::mem::take(&mut slot.is_watched)
    }
}
