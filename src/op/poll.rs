//! poll(2) of one descriptor: waiting for readiness alone.
#![expect(unsafe_code, reason = "asks the kernel")]

use super::{Descriptor, Direction, perform};
use crate::driver::Request;
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
