//! Readiness: tries the system call; if it would wait, waits for the descriptor and tries again.
//!
//! ```text
//!           ┌─ known ready, nobody waits ──▶ system call ──▶ result: Done
//!   push ───┤                                    │ EAGAIN
//!           └─ known not ready, or others wait ──┴▶ lane of the descriptor's slot: Queued
//!
//!   enter ──▶ poller ──▶ events ──▶ slots ──▶ system calls, lane by lane, first come first served
//!                                              └▶ done list ──▶ reap
//! ```
//!
//! - `attempt.rs`: the system calls. `poller.rs`, `epoll.rs`, `levels.rs`, `select.rs`: who is ready.
//!   `table.rs`, `queue.rs`: a slot per descriptor number, with lanes of entries. `wait.rs`: how an
//!   entry gets into a lane. `serve.rs`: how it gets out again. `pool.rs`: buffers for `RecvPooled`.
//! - **Edges are latched**: a descriptor is registered once, edge-triggered. The poller keeps an edge
//!   until it is asked, and the initial state counts as one. So a "no" of a system call holds until
//!   the next event: whatever happened since lies in the poller. What has ended (end of file,
//!   reset) stays known, because no further edge would tell. poll and select keep nothing, and report
//!   the same as long as it is so: they are asked for what the lanes wait for, and a "no" is asked about
//!   at every wait.
//! - **Waiting is watched**: entries are in the lanes of watched slots only. Watching ends when the
//!   descriptor is closed; a registration under an older serial is nobody's.
//! - **Kernel holds until completion**: here it is the lanes that hold entries, and the completion
//!   goes into the done list when the entry has left them.
#![expect(unsafe_code, reason = "makes the system calls of entries that others own")]

mod attempt;
mod epoll;
mod levels;
mod poller;
mod pool;
mod queue;
mod select;
mod serve;
mod table;
mod wait;

#[cfg(test)]
mod tests;

use super::waker::Event;
use super::{
    Completion, Counters, Entry, Fd, Kind, Pushed, Request, Settings, Wait, Waker, monotonic_ns,
};
use poller::Poller;
use pool::Pool;
use queue::{Held, Queue};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use table::{Lane, Table};

/// How long an attempt rests of which no event tells.
const PAUSE_NS: u64 = 1_000_000;

/// What an operation is answered that would have to wait for a number which select does not know.
/// No system call says it otherwise.
pub(crate) const BEYOND_SELECT: i32 = libc::ECHRNG;

/// `Entry::progress`: not in a lane; in the lane of that number, counted from here.
const NOWHERE: u32 = 0;
const IN_LANE: u32 = 1;
/// A bit beside it: connect(2) is under way.
const HAS_BEGUN: u32 = 16;

/// The driver for kernels, and policies, without io_uring.
pub(crate) struct Readiness {
    poller: Poller,
    table: Table,
    /// Entries in [`Lane::Again`], and when they are tried next.
    again: Queue,
    again_at_ns: u64,
    /// How many entries are in lanes.
    waiting: usize,
    done: VecDeque<Completion>,
    pool: Option<Pool>,
    pool_buffers: u16,
    pool_buffer_bytes: u32,
    counters: Counters,
    waker: Arc<Waker>,
    /// That of the waker, as the poller knows it.
    wake: Fd,
}

impl Readiness {
    /// Also says why it is not on epoll, if that was left open and refused.
    pub(super) fn new(settings: &Settings) -> io::Result<(Readiness, Option<String>)> {
        let (mut poller, why) = Poller::new(settings)?;
        let event = Event::new()?;
        let wake = Fd::new(event.number());
        poller.hear(wake)?;
        let readiness = Readiness {
            poller,
            table: Table::default(),
            again: Queue::default(),
            again_at_ns: 0,
            waiting: 0,
            done: VecDeque::new(),
            pool: None,
            pool_buffers: settings.pool_buffers,
            pool_buffer_bytes: settings.pool_buffer_bytes,
            counters: Counters::default(),
            waker: Arc::new(Waker::Event(event)),
            wake,
        };
        Ok((readiness, why))
    }

    pub(super) fn kind(&self) -> Kind {
        self.poller.kind()
    }

    /// # Safety
    /// - **Kernel holds until completion**: if the answer is [`Pushed::Queued`], the entry and all
    ///   that its request points to stay valid and untouched until its completion was reaped.
    pub(super) unsafe fn push(&mut self, entry: &Entry) -> Pushed {
        self.counters.pushed += 1;
        entry.progress.set(NOWHERE);
        let Some(fd) = entry.request.fd() else { return self.at_once(entry, 0, 0) };
        // SAFETY: valid during this call, and the caller's promise covers the time in a lane.
        let held = unsafe { Held::new(entry) };
        let lane = Lane::of(&entry.request);
        if self.must_wait(fd, lane, entry) {
            self.line_up(held, fd.number(), lane);
            return Pushed::Queued;
        }
        let (result, flags) = self.attempt(held);
        if result != -libc::EAGAIN {
            self.learn(fd, lane, &entry.request, result);
            return self.at_once(entry, result, flags);
        }
        match self.wait_for(held, fd, lane) {
            Ok(()) => Pushed::Queued,
            Err(result) => self.at_once(entry, result, 0),
        }
    }

    /// Takes an entry out of its lane. If its completion lies in the done list already, that one
    /// stands.
    pub(super) fn cancel(&mut self, entry: &Entry) -> u32 {
        self.counters.cancels += 1;
        let lane = match (entry.progress.get() & !HAS_BEGUN).checked_sub(IN_LANE) {
            None => return 0,
            Some(0) => Lane::Reading,
            Some(1) => Lane::Writing,
            Some(2) => Lane::Apart,
            Some(_) => Lane::Again,
        };
        let fd = entry.request.fd().expect("what waits names a descriptor");
        let found = match lane {
            Lane::Again => self.again.remove(entry),
            _ => self.table.slot(fd.number()).lane(lane).remove(entry),
        };
        debug_assert!(found, "**Waiting is watched**: its lane has lost an entry");
        self.finish(entry, -libc::ECANCELED, 0);
        self.give_back(fd.number());
        0
    }

    pub(super) fn close(&mut self, fd: Fd) -> io::Result<()> {
        if let Some(slot) = self.table.get(fd.number()).filter(|slot| slot.is_watched) {
            debug_assert!(
                slot.serial != fd.serial() || slot.is_idle(),
                "an entry still waits for descriptor {}",
                fd.number()
            );
            // Those who polled it by a name of their own.
            self.abandon(fd.number());
            self.table.clear(fd.number());
            self.poller.closes(fd.number());
        }
        self.counters.calls += 1;
        // SAFETY: the owner of the descriptor asks for it.
        if unsafe { libc::close(fd.number()) } == 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            // Linux has closed it all the same.
            error if error.raw_os_error() == Some(libc::EINTR) => Ok(()),
            error => Err(error),
        }
    }

    pub(super) fn forget(&mut self, fd: Fd) {
        if self.table.watched(fd).is_some() {
            self.unwatch(fd.number());
        }
    }

    pub(super) fn enter(&mut self, wait: Wait) {
        let may_stay = wait != Wait::No && self.done.is_empty();
        if self.waiting == 0 && !may_stay {
            return;
        }
        let mut timeout_ns = match wait {
            _ if !may_stay => Some(0),
            Wait::Until(moment) => Some(moment.saturating_sub(monotonic_ns())),
            _ => None,
        };
        if !self.again.is_empty() {
            let pause_ns = self.again_at_ns.saturating_sub(monotonic_ns());
            timeout_ns = Some(timeout_ns.map_or(pause_ns, |ns| ns.min(pause_ns)));
        }
        self.counters.enters += 1;
        for index in 0..self.poller.wait(timeout_ns, &self.table, &mut self.counters.calls) {
            let (event, waiting) = (self.poller.event(index), self.waiting);
            if event.serial == self.wake.serial() && event.number == self.wake.number() {
                self.waker.event().into_iter().for_each(Event::clear);
                continue;
            }
            self.serve(event);
            self.poller.served(event.number, self.waiting < waiting);
        }
        if !self.again.is_empty() {
            self.try_again();
        }
    }

    /// Also true while entries wait: a look into the poller brings what is ready by now.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        !self.done.is_empty() || self.waiting > 0
    }

    #[inline]
    pub(super) fn reap(&mut self, mut take: impl FnMut(Completion)) {
        while let Some(completion) = self.done.pop_front() {
            take(completion);
        }
    }

    pub(super) fn buffer(&self, number: u16) -> *mut u8 {
        self.pool.as_ref().expect("a completion has named the buffer").buffer(number)
    }

    pub(super) fn return_buffer(&mut self, number: u16) {
        self.pool.as_mut().expect("a completion has named the buffer").put(number);
    }

    pub(super) fn waker(&self) -> &Arc<Waker> {
        &self.waker
    }

    /// An epoll instance is readable when it has events.
    pub(super) fn pollable(&mut self) -> io::Result<RawFd> {
        match &self.poller {
            Poller::Epoll(epoll) => Ok(epoll.number()),
            Poller::Levels(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Each wait takes the events.
    pub(super) fn hush(&mut self) -> bool {
        !self.done.is_empty()
    }

    pub(super) fn tries_again_at(&self) -> Option<u64> {
        (!self.again.is_empty()).then_some(self.again_at_ns)
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    // How an entry ends.

    /// Ends an entry that is being pushed. Where the answer cannot hold all, by the done list.
    fn at_once(&mut self, entry: &Entry, result: i32, flags: u32) -> Pushed {
        self.counters.completions += 1;
        if flags != 0 || matches!(entry.request, Request::AcceptMany { .. }) {
            self.done.push_back(Completion { token: entry.token, result, flags });
            return Pushed::Queued;
        }
        Pushed::Done(result)
    }

    /// Ends an entry that has left its lane.
    fn finish(&mut self, entry: &Entry, result: i32, flags: u32) {
        entry.progress.set(NOWHERE);
        self.waiting -= 1;
        self.counters.completions += 1;
        self.done.push_back(Completion { token: entry.token, result, flags });
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.poller.fmt(f)
    }
}
