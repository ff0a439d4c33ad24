//! select(2): sets of descriptor numbers, which end at `FD_SETSIZE`.
#![expect(unsafe_code, reason = "select(2)")]

use super::levels::timespec;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr::null;

/// What select can ask for by its three sets.
const READ: i16 = libc::POLLIN;
const WRITE: i16 = libc::POLLOUT;
const URGENT: i16 = libc::POLLPRI;

/// The three sets, and one more than the highest number in them.
pub(super) struct Sets {
    read: libc::fd_set,
    write: libc::fd_set,
    urgent: libc::fd_set,
    end: RawFd,
}

impl Default for Sets {
    fn default() -> Sets {
        let empty = || {
            let mut set = MaybeUninit::uninit();
            // SAFETY: FD_ZERO writes all of it.
            unsafe {
                libc::FD_ZERO(set.as_mut_ptr());
                set.assume_init()
            }
        };
        Sets { read: empty(), write: empty(), urgent: empty(), end: 0 }
    }
}

impl Sets {
    /// Is there room for this number?
    pub(super) fn hold(number: RawFd) -> bool {
        usize::try_from(number).is_ok_and(|number| number < libc::FD_SETSIZE)
    }

    /// Asks for what poll would be asked for. Says whether poll would report more than that.
    pub(super) fn add(&mut self, fd: &libc::pollfd) -> bool {
        if !Sets::hold(fd.fd) {
            return true;
        }
        for (event, set) in
            [(READ, &mut self.read), (WRITE, &mut self.write), (URGENT, &mut self.urgent)]
        {
            if fd.events & event != 0 {
                // SAFETY: `hold` has said that the number lies in the set.
                unsafe { libc::FD_SET(fd.fd, set) };
            }
        }
        self.end = self.end.max(fd.fd + 1);
        // What is readable tells of every end and error.
        fd.events & READ == 0
    }

    /// What came back, in poll's words.
    pub(super) fn revents(&self, fd: &libc::pollfd) -> i16 {
        let has = |event: i16, set| {
            // SAFETY: as in `add`.
            let is_in = fd.events & event != 0
                && Sets::hold(fd.fd)
                && unsafe { libc::FD_ISSET(fd.fd, set) };
            if is_in { event } else { 0 }
        };
        has(READ, &self.read) | has(WRITE, &self.write) | has(URGENT, &self.urgent)
    }
}

/// Waits: how many are in the sets after it, or `-errno`; then they are undefined.
pub(super) fn wait(sets: &mut Sets, timeout_ns: Option<u64>) -> i32 {
    let timeout = timeout_ns.map(timespec);
    let timeout = timeout.as_ref().map_or(null(), |timeout| &raw const *timeout);
    // SAFETY: `end` is at most FD_SETSIZE, so that the kernel stays within the sets; no signal mask.
    let answer = unsafe {
        libc::pselect(
            sets.end,
            &raw mut sets.read,
            &raw mut sets.write,
            &raw mut sets.urgent,
            timeout,
            null(),
        )
    };
    match answer {
        count @ 0.. => count,
        _ => -io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO),
    }
}

/// select of one descriptor without waiting, as [`attempt::poll`](super::attempt::poll).
pub(super) fn look(number: RawFd, events: i16) -> i32 {
    if !Sets::hold(number) {
        return -super::BEYOND_SELECT;
    }
    let (mut sets, fd) = (Sets::default(), libc::pollfd { fd: number, events, revents: 0 });
    sets.add(&fd);
    match wait(&mut sets, Some(0)) {
        0 => -libc::EAGAIN,
        1.. => i32::from(sets.revents(&fd)),
        error => error,
    }
}
