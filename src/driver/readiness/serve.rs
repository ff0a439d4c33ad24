//! How an entry goes on: attempts after events, and what each of them tells.
#![expect(unsafe_code, reason = "makes the system calls of entries that others own")]

use super::super::token::BUFFER;
use super::super::{Fd, Request, monotonic_ns};
use super::poller::{Event, Ready};
use super::pool::Pool;
use super::queue::Held;
use super::table::Lane;
use super::wait::is_untold;
use super::{HAS_BEGUN, PAUSE_NS, Readiness, attempt};
use std::os::fd::RawFd;

impl Readiness {
    pub(super) fn serve(&mut self, event: Event) {
        let Some(slot) = self.table.get(event.number).filter(|slot| slot.is_of(event.serial))
        else {
            // A descriptor that is closed here, but lives on in a copy.
            return;
        };
        if event.ready.any(Ready::GONE) {
            // Closed by others, under those who wait for it.
            self.abandon(event.number);
            return self.unwatch(event.number);
        }
        slot.ready = slot.ready | event.ready;
        // Before and behind the mark is no end of what there is.
        slot.trusts_short &= !event.ready.any(Ready::URGENT);
        for lane in [Lane::Reading, Lane::Writing] {
            self.run(event.number, lane);
        }
        self.run_apart(event.number);
    }

    /// Tries those in a lane in turn, until one has to wait again.
    fn run(&mut self, number: RawFd, lane: Lane) {
        loop {
            let slot = self.table.slot(number);
            let Some(entry) = slot.lane(lane).first().filter(|_| slot.may_try(lane)) else {
                return;
            };
            let (result, flags) = self.attempt(entry);
            let slot = self.table.slot(number);
            let result = if slot.has_ended(&entry.request, result) { 0 } else { result };
            if result == -libc::EAGAIN {
                slot.not_ready(lane);
                return;
            }
            slot.lane(lane).pop();
            if let Some(fd) = entry.request.fd() {
                self.learn(fd, lane, &entry.request, result);
            }
            self.finish(&entry, result, flags);
        }
    }

    /// Tries each of those who wait for something of their own.
    fn run_apart(&mut self, number: RawFd) {
        let mut entries = std::mem::take(self.table.slot(number).lane(Lane::Apart));
        if entries.is_empty() {
            return;
        }
        while let Some(entry) = entries.pop() {
            let (result, flags) = self.attempt(entry);
            if result == -libc::EAGAIN {
                self.table.slot(number).lane(Lane::Apart).push(entry);
            } else {
                self.finish(&entry, result, flags);
            }
        }
        self.give_back(number);
    }

    /// Tries those of whose readiness no event tells, once a pause.
    #[cold]
    pub(super) fn try_again(&mut self) {
        let now_ns = monotonic_ns();
        if now_ns < self.again_at_ns {
            return;
        }
        self.again_at_ns = now_ns + PAUSE_NS;
        let mut entries = std::mem::take(&mut self.again);
        while let Some(entry) = entries.pop() {
            let (mut result, flags) = self.attempt(entry);
            if result == -libc::EAGAIN && is_untold(&entry) {
                self.again.push(entry);
                continue;
            }
            if result == -libc::EAGAIN
                && let Some(fd) = entry.request.fd()
            {
                match self.wait_for(entry, fd, Lane::of(&entry.request)) {
                    Ok(()) => {
                        // It has only changed lanes.
                        self.waiting -= 1;
                        continue;
                    }
                    Err(other) => result = other,
                }
            }
            self.finish(&entry, result, flags);
        }
    }

    /// Makes the system call of an entry: its result and the flags of its completion.
    pub(super) fn attempt(&mut self, entry: Held) -> (i32, u32) {
        if let Request::RecvPooled { fd, flags } = entry.request {
            return self.receive_pooled(fd, flags);
        }
        let has_begun = entry.progress.get() & HAS_BEGUN != 0;
        // SAFETY: the entry is held, and with it all that its request points to.
        let result =
            unsafe { attempt::attempt(&entry.request, has_begun, &mut self.counters.calls) };
        if result == -libc::EINPROGRESS && matches!(entry.request, Request::Connect { .. }) {
            entry.progress.set(entry.progress.get() | HAS_BEGUN);
            return (-libc::EAGAIN, 0);
        }
        (result, 0)
    }

    fn receive_pooled(&mut self, fd: Fd, flags: i32) -> (i32, u32) {
        let pool = match &mut self.pool {
            Some(pool) => pool,
            none => match Pool::new(self.pool_buffers, self.pool_buffer_bytes) {
                Ok(pool) => none.insert(pool),
                Err(_) => return (-libc::ENOBUFS, 0),
            },
        };
        let calls = &mut self.counters.calls;
        let Some(number) = pool.take() else {
            // Perhaps one comes back before there is something for it.
            return match attempt::poll(fd, libc::POLLIN, calls) {
                nothing if nothing == -libc::EAGAIN => (nothing, 0),
                _ => (-libc::ENOBUFS, 0),
            };
        };
        let request =
            Request::Recv { fd, buffer: pool.buffer(number), length: pool.buffer_bytes(), flags };
        // SAFETY: the buffer is as long as that, and nobody else's while it is taken.
        let result = unsafe { attempt::attempt(&request, false, calls) };
        if result <= 0 {
            pool.put(number);
            return (result, 0);
        }
        (result, BUFFER | u32::from(number) << 16)
    }

    /// Draws a conclusion from a short transfer: the next one would have to wait. As with `EAGAIN`
    /// an edge follows as soon as that changes, and what ended before is known (`READ_ENDED`).
    pub(super) fn learn(&mut self, fd: Fd, lane: Lane, request: &Request, result: i32) {
        let (wanted, flags) = match *request {
            Request::Recv { length, flags, .. } | Request::Send { length, flags, .. } => {
                (length, flags)
            }
            Request::RecvPooled { flags, .. } => (self.pool_buffer_bytes as usize, flags),
            Request::Read { length, .. } | Request::Write { length, .. } => (length, 0),
            _ => return,
        };
        // MSG_PEEK takes nothing away, MSG_OOB is not of the stream, and so on.
        if result <= 0 || result as usize >= wanted || flags != 0 {
            return;
        }
        if let Some(slot) = self.table.watched(fd)
            && slot.trusts_short
        {
            slot.not_ready(lane);
        }
    }
}
