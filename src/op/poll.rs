//! poll(2) of one descriptor: waiting for readiness alone.
#![expect(unsafe_code, reason = "asks the kernel")]

use super::{Descriptor, Direction, perform};
use crate::driver::Request;
use std::io;

/// Parks until one of `events` (`POLLIN` and so on), or an error or a hang-up, is there; says which.
pub(crate) fn poll(descriptor: &Descriptor, events: i16, limit_ns: Option<u64>) -> io::Result<i16> {
    let request = Request::Poll { fd: descriptor.fd(), events };
    // SAFETY: the request points to nothing.
    let answer = unsafe { perform(descriptor, Direction::Shared, request, limit_ns)? };
    Ok(answer.result as i16)
}
