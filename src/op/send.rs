//! send(2): bytes into a socket.
#![expect(unsafe_code, reason = "hands buffers to the kernel")]

use super::{Descriptor, Direction, perform};
use crate::driver::Request;
use std::io;

/// Sends what the socket takes of `buffer`; never raises `SIGPIPE`. `flags` are those of send(2).
#[inline]
pub(crate) fn send(
    descriptor: &Descriptor,
    direction: Direction,
    buffer: &[u8],
    flags: i32,
    limit_ns: Option<u64>,
) -> io::Result<usize> {
    let request =
        Request::Send { fd: descriptor.fd(), buffer: buffer.as_ptr(), length: buffer.len(), flags };
    // SAFETY: the buffer is borrowed until this returns.
    let answer = unsafe { perform(descriptor, direction, request, limit_ns)? };
    Ok(answer.result as usize)
}
