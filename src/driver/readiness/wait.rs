//! How an entry comes to wait, and for what: lanes and registrations.
#![expect(unsafe_code, reason = "reads the addresses' families in requests")]

use super::super::{Entry, Fd, Request, monotonic_ns};
use super::poller::Ready;
use super::queue::Held;
use super::table::{Lane, Slot};
use super::{HAS_BEGUN, IN_LANE, PAUSE_NS, Readiness, attempt};
use std::io;
use std::os::fd::RawFd;

impl Readiness {
    /// Is it known that a system call would be in vain, or unfair?
    #[inline]
    pub(super) fn must_wait(&mut self, fd: Fd, lane: Lane, entry: &Entry) -> bool {
        // A connect begins something: it has to be made once before anything can tell of its end.
        let begins = matches!(entry.request, Request::Connect { .. });
        if lane == Lane::Apart || begins || is_untold(entry) {
            return false;
        }
        match self.table.watched(fd) {
            Some(slot) => !slot.may_try(lane) || !slot.lane(lane).is_empty(),
            None => false,
        }
    }

    /// Lets an entry wait that was told `EAGAIN`, or says what its result is instead.
    pub(super) fn wait_for(&mut self, entry: Held, fd: Fd, lane: Lane) -> Result<(), i32> {
        if is_untold(&entry) {
            if self.again.is_empty() {
                self.again_at_ns = monotonic_ns() + PAUSE_NS;
            }
            self.line_up(entry, fd.number(), Lane::Again);
            return Ok(());
        }
        let is_begun = entry.progress.get() & HAS_BEGUN != 0;
        if matches!(entry.request, Request::Connect { .. }) && !is_begun {
            return Err(-libc::EAGAIN);
        }
        let is_poll = matches!(entry.request, Request::Poll { .. });
        match self.table.watched(fd) {
            Some(slot) if slot.has_ended(&entry.request, -libc::EAGAIN) => return Err(0),
            Some(slot) => slot.is_borrowed &= is_poll,
            None => self.watch(fd, is_poll)?,
        }
        self.table.slot(fd.number()).not_ready(lane);
        self.line_up(entry, fd.number(), lane);
        Ok(())
    }

    pub(super) fn line_up(&mut self, entry: Held, number: RawFd, lane: Lane) {
        let begun = entry.progress.get() & HAS_BEGUN;
        entry.progress.set((IN_LANE + lane as u32) | begun);
        self.waiting += 1;
        match lane {
            Lane::Again => self.again.push(entry),
            _ => self.table.slot(number).lane(lane).push(entry),
        }
    }

    /// Registers a descriptor of which the poller does not know under its serial.
    #[cold]
    fn watch(&mut self, fd: Fd, is_poll: bool) -> Result<(), i32> {
        self.counters.calls += 1;
        let answer = self.poller.register(fd, Ready::BOTH).map_err(code);
        let is_same = match answer {
            Ok(()) => false,
            // Somebody else's name for what is watched: those who wait go on under the new one.
            Err(libc::EEXIST) => {
                self.counters.calls += 1;
                self.poller.modify(fd, Ready::BOTH).map_err(|error| -code(error))?;
                true
            }
            // A file that is always ready, and yet not for this: nothing would ever tell.
            Err(libc::EPERM) if is_poll => return Err(-libc::EINVAL),
            Err(libc::EPERM) => return Err(-libc::EAGAIN),
            Err(error) => return Err(-error),
        };
        let is_tcp = !is_poll && attempt::is_tcp(fd, &mut self.counters.calls);
        if !is_same && self.table.slot(fd.number()).is_watched {
            self.abandon(fd.number());
        }
        let slot = self.table.slot(fd.number());
        slot.is_borrowed = is_poll && (slot.is_borrowed || !slot.is_watched || !is_same);
        slot.trusts_short = is_tcp || is_same && slot.is_watched && slot.trusts_short;
        slot.is_watched = true;
        slot.serial = fd.serial();
        slot.ready = Ready::BOTH;
        Ok(())
    }

    /// The number was closed by others and is something else now: whoever still waits hears so.
    pub(super) fn abandon(&mut self, number: RawFd) {
        for lane in [Lane::Reading, Lane::Writing, Lane::Apart] {
            while let Some(entry) = self.table.slot(number).lane(lane).pop() {
                self.finish(&entry, -libc::EBADF, 0);
            }
        }
    }

    /// Ends the registration of a descriptor of others if nobody polls it any more.
    pub(super) fn give_back(&mut self, number: RawFd) {
        let lone = |slot: &mut Slot| slot.is_watched && slot.is_borrowed && slot.is_idle();
        if self.table.get(number).is_some_and(lone) {
            self.unwatch(number);
        }
    }

    pub(super) fn unwatch(&mut self, number: RawFd) {
        if self.table.clear(number) {
            self.counters.calls += 1;
            self.poller.forget(number);
        }
    }
}

/// Is there something that no event would tell of? A UNIX socket connects as soon as the listener's
/// backlog has room, and sends to a name as soon as the receiver's queue has; it is writable itself.
pub(super) fn is_untold(entry: &Entry) -> bool {
    match entry.request {
        Request::Connect { address, .. } => {
            // SAFETY: the entry is held, and with it its address, which begins with the family.
            let family = unsafe { address.cast::<libc::sa_family_t>().read_unaligned() };
            entry.progress.get() & HAS_BEGUN == 0 && i32::from(family) == libc::AF_UNIX
        }
        Request::SendMessage { message, .. } if !message.is_null() => {
            // SAFETY: the entry is held, and with it its message.
            let (name, length) = unsafe { ((*message).msg_name, (*message).msg_namelen) };
            let has_family = !name.is_null() && length as usize >= size_of::<libc::sa_family_t>();
            // SAFETY: a name begins with its family.
            has_family
                && unsafe { name.cast::<libc::sa_family_t>().read_unaligned() }
                    == libc::AF_UNIX as libc::sa_family_t
        }
        _ => false,
    }
}

fn code(error: io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
