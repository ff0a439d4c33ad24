//! poll(2) and select(2): they keep nothing. Each wait names all descriptors for which somebody waits,
//! and for what; and whatever is so is reported, again and again.
//!
//! - **Only what somebody waits for**: what else is ready would end every wait at once.
//! - **In vain**: some states cannot be left out (an error queue that nobody empties). A descriptor that
//!   was reported twice and moved nobody is left out for a millisecond.
//! - select says less than poll (no hang-up, no error) and knows 1,024 numbers. So it is used to wait;
//!   poll looks. What only poll would report is looked at every [`BLIND_NS`].
#![expect(unsafe_code, reason = "poll(2), select(2), fstat(2)")]

use super::super::{Fd, monotonic_ns};
use super::poller::{Event, Ready};
use super::select::{self, Sets};
use super::table::Table;
use super::{BEYOND_SELECT, PAUSE_NS};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr::null;

const NS_PER_S: u64 = 1_000_000_000;

/// How late, at most, select learns what poll would have reported at once.
const BLIND_NS: u64 = 20_000_000;

/// A file, as far as fstat(2) tells one from another.
type File = (libc::dev_t, libc::ino_t);

/// Of a descriptor that was reported for nothing, and how often in a row.
struct InVain {
    number: RawFd,
    times: u32,
    rests_until_ns: u64,
}

/// A poller without a memory in the kernel.
pub(super) struct Levels {
    /// By select, else by poll.
    selects: bool,
    /// What is open under each number that is watched: another file is not what was waited for.
    files: Vec<Option<File>>,
    fds: Vec<libc::pollfd>,
    serials: Vec<u32>,
    events: Vec<Event>,
    in_vain: Vec<InVain>,
    waker: Option<Fd>,
}

impl Levels {
    /// poll.
    pub(super) fn poll() -> io::Result<Levels> {
        // The kernel's answer to nothing at all: a filter would show.
        works(ppoll(&mut [], Some(0)))?;
        Ok(Levels::new(false))
    }

    /// select, and poll where it is allowed.
    pub(super) fn select() -> io::Result<Levels> {
        works(select::wait(&mut Sets::default(), Some(0)))?;
        Ok(Levels::new(true))
    }

    fn new(selects: bool) -> Levels {
        Levels {
            selects,
            files: Vec::new(),
            fds: Vec::new(),
            serials: Vec::new(),
            events: Vec::new(),
            in_vain: Vec::new(),
            waker: None,
        }
    }

    pub(super) fn selects(&self) -> bool {
        self.selects
    }

    /// How many descriptors are watched.
    #[cfg(test)]
    pub(super) fn watched(&self) -> usize {
        self.files.iter().flatten().count()
    }

    /// Names the waker's descriptor at each wait.
    pub(super) fn hear(&mut self, waker: Fd) {
        self.waker = Some(waker);
    }

    pub(super) fn register(&mut self, fd: Fd) -> io::Result<()> {
        let number = fd.number();
        let (file, mode) = stat(number)?;
        // As epoll answers: they never wait.
        if matches!(mode & libc::S_IFMT, libc::S_IFREG | libc::S_IFDIR) {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        if self.selects && !Sets::hold(number) {
            return Err(io::Error::from_raw_os_error(BEYOND_SELECT));
        }
        let index = number as usize; // fstat took it
        if index >= self.files.len() {
            self.files.resize(index + 1, None);
        }
        if self.files[index] == Some(file) {
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        self.forget(number);
        self.files[index] = Some(file);
        Ok(())
    }

    pub(super) fn forget(&mut self, number: RawFd) {
        if let Some(file) = self.files.get_mut(number as usize) {
            *file = None;
        }
        self.in_vain.retain(|one| one.number != number);
    }

    /// Notes whether an event has moved anybody.
    pub(super) fn served(&mut self, number: RawFd, has_moved: bool) {
        let known = self.in_vain.iter().position(|one| one.number == number);
        match (has_moved, known) {
            (true, None) => {}
            (true, Some(index)) => drop(self.in_vain.swap_remove(index)),
            (false, None) => self.in_vain.push(InVain { number, times: 1, rests_until_ns: 0 }),
            (false, Some(index)) => {
                let one = &mut self.in_vain[index];
                one.times = one.times.saturating_add(1);
                one.rests_until_ns = monotonic_ns() + PAUSE_NS;
            }
        }
    }

    pub(super) fn wait(
        &mut self,
        timeout_ns: Option<u64>,
        table: &Table,
        calls: &mut u64,
    ) -> usize {
        let mut timeout_ns = timeout_ns;
        self.gather(table, &mut timeout_ns);
        let count = match self.selects {
            false => ppoll(&mut self.fds, timeout_ns),
            true => self.select_and_look(timeout_ns, calls),
        };
        match -count {
            ..=0 => {}
            // A signal: its handler may have left something for the loop to look at.
            libc::EINTR => self.fds.clear(),
            // More than RLIMIT_NOFILE, which was lowered since; or no memory for so many at once.
            libc::EINVAL | libc::ENOMEM => self.look_one_by_one(timeout_ns, calls),
            error => panic!("{self}: {}", io::Error::from_raw_os_error(error)),
        }
        self.events.clear();
        for (fd, &serial) in self.fds.iter().zip(&self.serials).filter(|(fd, _)| fd.revents != 0) {
            self.events.push(Event { number: fd.fd, serial, ready: ready(fd.revents) });
        }
        self.events.len()
    }

    /// Who waits, and for what; and how long nothing that is left out needs a look.
    fn gather(&mut self, table: &Table, timeout_ns: &mut Option<u64>) {
        self.fds.clear();
        self.serials.clear();
        if let Some(waker) = self.waker {
            self.fds.push(libc::pollfd { fd: waker.number(), events: libc::POLLIN, revents: 0 });
            self.serials.push(waker.serial());
        }
        let now_ns = if self.in_vain.is_empty() { 0 } else { monotonic_ns() };
        for (number, serial, events) in table.wanted() {
            let rest = self.in_vain.iter().find(|one| one.number == number);
            let rest_ns = rest.map_or(0, |one| one.rests_until_ns.saturating_sub(now_ns));
            if rest_ns > 0 {
                *timeout_ns = Some(timeout_ns.map_or(rest_ns, |ns| ns.min(rest_ns)));
                continue;
            }
            self.fds.push(libc::pollfd { fd: number, events, revents: 0 });
            self.serials.push(serial);
        }
    }

    fn select_and_look(&mut self, timeout_ns: Option<u64>, calls: &mut u64) -> i32 {
        let (mut sets, mut is_blind) = (Sets::default(), false);
        for fd in &self.fds {
            is_blind |= sets.add(fd);
        }
        let timeout_ns = match is_blind {
            true => Some(timeout_ns.map_or(BLIND_NS, |ns| ns.min(BLIND_NS))),
            false => timeout_ns,
        };
        match -select::wait(&mut sets, timeout_ns) {
            0 if !is_blind => return 0,
            // EBADF: poll says which.
            ..=0 | libc::EBADF => {}
            error => return -error,
        }
        *calls += 1;
        match ppoll(&mut self.fds, Some(0)) {
            // A filter forbids it: then what select has said is all.
            error if matches!(-error, libc::ENOSYS | libc::EPERM) => {
                self.fds.iter_mut().for_each(|fd| fd.revents = sets.revents(fd));
                1
            }
            count => count,
        }
    }

    #[cold]
    fn look_one_by_one(&mut self, timeout_ns: Option<u64>, calls: &mut u64) {
        // Nothing ends this nap but a signal. It is short.
        ppoll(&mut [], Some(timeout_ns.map_or(PAUSE_NS, |ns| ns.min(PAUSE_NS))));
        for fd in &mut self.fds {
            *calls += 1;
            // Not even one may be asked for: then its system call shall say.
            if ppoll(std::slice::from_mut(fd), Some(0)) < 0 {
                fd.revents = fd.events;
            }
        }
    }

    #[inline]
    pub(super) fn event(&self, index: usize) -> Event {
        self.events[index]
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.selects { "select" } else { "poll" })
    }
}

/// Is this an answer of a system call that may be made? A signal is one, too.
fn works(answer: i32) -> io::Result<()> {
    match -answer {
        ..=0 | libc::EINTR => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

fn ready(revents: i16) -> Ready {
    let when = |bits: i16, ready| if revents & bits != 0 { ready } else { Ready::NONE };
    when(libc::POLLIN, Ready::READ)
        | when(libc::POLLOUT, Ready::WRITE)
        | when(libc::POLLPRI, Ready::URGENT | Ready::READ)
        | when(libc::POLLRDHUP, Ready::READ_ENDED | Ready::SHUT)
        | when(libc::POLLHUP | libc::POLLERR, Ready::READ_ENDED | Ready::WRITE_ENDED)
        | when(libc::POLLNVAL, Ready::GONE)
}

/// ppoll(2): how many have something to say, or `-errno`.
fn ppoll(fds: &mut [libc::pollfd], timeout_ns: Option<u64>) -> i32 {
    let timeout = timeout_ns.map(timespec);
    let timeout = timeout.as_ref().map_or(null(), |timeout| &raw const *timeout);
    let count = fds.len() as libc::nfds_t;
    // SAFETY: as many descriptors as said, and a time-out or none; no signal mask.
    match unsafe { libc::ppoll(fds.as_mut_ptr(), count, timeout, null()) } {
        count @ 0.. => count,
        _ => -io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO),
    }
}

pub(super) fn timespec(ns: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: (ns / NS_PER_S) as libc::time_t,
        tv_nsec: (ns % NS_PER_S) as libc::c_long,
    }
}

/// What is open under a number, and its kind.
fn stat(number: RawFd) -> io::Result<(File, libc::mode_t)> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: there is room for the answer.
    if unsafe { libc::fstat(number, stat.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: written.
    let stat = unsafe { stat.assume_init() };
    Ok(((stat.st_dev, stat.st_ino), stat.st_mode))
}
