//! epoll, edge-triggered: a descriptor is registered once, for both directions, and each change is
//! reported once. A readiness that was reported is known until a system call says otherwise.
#![expect(unsafe_code, reason = "epoll(7)")]

use super::super::Fd;
use super::poller::{Event, Ready};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};

/// Events of one wait. More stay in the kernel, in turn, for the next.
const EVENTS: usize = 256;

const NS_PER_MS: u64 = 1_000_000;
const NS_PER_S: u64 = 1_000_000_000;

/// One epoll instance.
pub(super) struct Epoll {
    instance: OwnedFd,
    events: Box<[libc::epoll_event; EVENTS]>,
    /// Time-outs in milliseconds: the kernel has no epoll_pwait2 (5.11), or a filter forbids it.
    coarse: bool,
}

impl Epoll {
    pub(super) fn new() -> io::Result<Epoll> {
        // SAFETY: takes no addresses.
        let number = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and nobody else has the number.
        let instance = unsafe { OwnedFd::from_raw_fd(number) };
        let events = Box::new([libc::epoll_event { events: 0, u64: 0 }; EVENTS]);
        Ok(Epoll { instance, events, coarse: false })
    }

    /// As on a kernel before 5.11.
    #[cfg(test)]
    pub(super) fn make_coarse(&mut self) {
        self.coarse = true;
    }

    pub(super) fn number(&self) -> RawFd {
        self.instance.as_raw_fd()
    }

    pub(super) fn register(&mut self, fd: Fd, wanted: Ready) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, wanted)
    }

    pub(super) fn modify(&mut self, fd: Fd, wanted: Ready) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, wanted)
    }

    pub(super) fn forget(&mut self, number: RawFd) {
        // Linux before 2.6.9 wanted an event here, too; this crate does not run there.
        // SAFETY: the instance is open; epoll_ctl(2) reads no event for EPOLL_CTL_DEL.
        let answer = unsafe {
            libc::epoll_ctl(self.instance.as_raw_fd(), libc::EPOLL_CTL_DEL, number, null_mut())
        };
        // EBADF and ENOENT: it was closed, and perhaps the number given out again.
        debug_assert!(answer == 0 || matches!(errno(), libc::EBADF | libc::ENOENT | libc::EPERM));
    }

    fn control(&mut self, what: i32, fd: Fd, wanted: Ready) -> io::Result<()> {
        let mut mask = libc::EPOLLET;
        if wanted.any(Ready::READ) {
            mask |= libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP;
        }
        if wanted.any(Ready::WRITE) {
            mask |= libc::EPOLLOUT;
        }
        let data = u64::from(fd.serial()) << 32 | u64::from(fd.number() as u32);
        let mut event = libc::epoll_event { events: mask as u32, u64: data };
        // SAFETY: the instance is open, and `event` is read before the call returns.
        let answer = unsafe {
            libc::epoll_ctl(self.instance.as_raw_fd(), what, fd.number(), &raw mut event)
        };
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    pub(super) fn wait(&mut self, timeout_ns: Option<u64>) -> usize {
        let fine = timeout_ns.is_some_and(|ns| ns != 0) && !self.coarse;
        let answer = match timeout_ns {
            Some(ns) if fine => self.wait_fine(ns),
            _ => self.wait_coarse(timeout_ns),
        };
        if let Ok(count) = usize::try_from(answer) {
            return count;
        }
        match errno() {
            // A signal: its handler may have left something for the loop to look at.
            libc::EINTR => 0,
            // An older kernel; or a filter that knows fewer system calls than the kernel.
            libc::ENOSYS | libc::EPERM if fine => {
                self.coarse = true;
                self.wait(timeout_ns)
            }
            error => panic!("epoll_wait: {}", io::Error::from_raw_os_error(error)),
        }
    }

    fn wait_fine(&mut self, ns: u64) -> i64 {
        let timeout = libc::timespec {
            tv_sec: (ns / NS_PER_S) as libc::time_t,
            tv_nsec: (ns % NS_PER_S) as libc::c_long,
        };
        // By its number: glibc has a function for it since 2.35 only.
        // SAFETY: the kernel writes at most EVENTS events, and reads `timeout`; no signal mask.
        unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.instance.as_raw_fd(),
                self.events.as_mut_ptr(),
                EVENTS as i32,
                &raw const timeout,
                null::<libc::sigset_t>(),
                0usize,
            )
        }
    }

    fn wait_coarse(&mut self, timeout_ns: Option<u64>) -> i64 {
        // Rounded up: early would be too early, and many times over.
        let ms =
            timeout_ns.map_or(-1, |ns| i32::try_from(ns.div_ceil(NS_PER_MS)).unwrap_or(i32::MAX));
        // SAFETY: the kernel writes at most EVENTS events.
        let answer = unsafe {
            libc::epoll_wait(self.instance.as_raw_fd(), self.events.as_mut_ptr(), EVENTS as i32, ms)
        };
        i64::from(answer)
    }

    #[inline]
    pub(super) fn event(&self, index: usize) -> Event {
        let libc::epoll_event { events: mask, u64: data } = self.events[index];
        let has = |bits: i32| mask & bits as u32 != 0;
        let mut ready = Ready::NONE;
        if has(libc::EPOLLIN) {
            ready = ready | Ready::READ;
        }
        if has(libc::EPOLLOUT) {
            ready = ready | Ready::WRITE;
        }
        if has(libc::EPOLLPRI) {
            ready = ready | Ready::URGENT | Ready::READ;
        }
        if has(libc::EPOLLRDHUP) {
            ready = ready | Ready::READ_ENDED | Ready::SHUT;
        }
        if has(libc::EPOLLHUP | libc::EPOLLERR) {
            ready = ready | Ready::READ_ENDED | Ready::WRITE_ENDED;
        }
        Event { number: data as u32 as RawFd, serial: (data >> 32) as u32, ready }
    }
}

impl fmt::Display for Epoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.coarse { "epoll (milliseconds)" } else { "epoll" })
    }
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
