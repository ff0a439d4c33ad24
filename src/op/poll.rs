//! poll(2) of one descriptor: waiting for readiness alone.
#![expect(unsafe_code, reason = "asks the kernel")]

use super::{Descriptor, Direction, perform};
use crate::driver::Request;
use crate::greenlet::current_block;
use crate::hub::{Deadline, hub, set_waits_for};
use std::io;
use std::os::fd::BorrowedFd;

/// Parks until one of `events` (`POLLIN` and so on), or an error or a hang-up, is there; says which.
pub(crate) fn poll(
    descriptor: &Descriptor,
    direction: Direction,
    events: i16,
    limit_ns: Option<u64>,
) -> io::Result<i16> {
    let request = Request::Poll { fd: descriptor.fd(), events };
    // SAFETY: the request points to nothing.
    let answer = unsafe { perform(descriptor, direction, request, limit_ns)? };
    Ok(answer.result as i16)
}

/// As [`poll`], for a descriptor of somebody else's.
pub(crate) fn poll_foreign(fd: BorrowedFd<'_>, events: i16) -> io::Result<i16> {
    poll(&Descriptor::foreign(fd), Direction::Shared, events, None)
}

/// Which of `fds` are ready now, by their `revents`; never waits.
pub(crate) fn poll_now(fds: &mut [libc::pollfd]) -> io::Result<()> {
    loop {
        // SAFETY: so many of them, borrowed for the call.
        if unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, 0) } >= 0 {
            return Ok(());
        }
        // A signal may be pending even where nothing is waited for.
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => {}
            error => return Err(error),
        }
    }
}

const PAUSE_NS: u64 = 1_000_000;

/// Waits a while for something that nothing tells of.
///
/// # Errors
/// `TimedOut` when nothing is left of the limit.
pub(super) fn pause(left_ns: Option<u64>) -> io::Result<()> {
    if left_ns == Some(0) {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let (hub, me) = (hub(), current_block());
    let deadline = Deadline::new(me);
    set_waits_for(me, &"room at the other side");
    let end = hub.now().saturating_add(left_ns.map_or(PAUSE_NS, |left| left.min(PAUSE_NS)));
    // SAFETY: taken back below; no park unwinds.
    unsafe { hub.set_deadline(&deadline, end) };
    let waited = hub.wait_until(|| deadline.has_passed());
    hub.take_back(&deadline);
    match waited {
        Ok(()) => Ok(()),
        Err(interrupted) => interrupted.raise(),
    }
}
