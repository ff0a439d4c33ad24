//! write(2) and pwrite(2): bytes into whatever is no socket.
#![expect(unsafe_code, reason = "hands buffers to the kernel")]

use super::{Descriptor, Direction, perform};
use crate::driver::Request;
use std::io;

/// Writes what is taken of `buffer`, at `offset` or where the descriptor stands.
#[allow(dead_code, reason = "for files and pipes, which are to come")]
pub(crate) fn write(
    descriptor: &Descriptor,
    direction: Direction,
    buffer: &[u8],
    offset: Option<u64>,
    limit_ns: Option<u64>,
) -> io::Result<usize> {
    descriptor.fit()?;
    let request = Request::Write {
        fd: descriptor.fd(),
        buffer: buffer.as_ptr(),
        length: buffer.len(),
        offset: offset.unwrap_or(u64::MAX),
    };
    // SAFETY: the buffer is borrowed until this returns.
    let answer = unsafe { perform(descriptor, direction, request, limit_ns)? };
    Ok(answer.result as usize)
}
