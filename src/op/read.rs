//! read(2) and pread(2): bytes out of whatever is no socket.
#![expect(unsafe_code, reason = "hands buffers to the kernel")]

use super::{Descriptor, Direction, perform};
use crate::driver::Request;
use std::io;

/// Reads into `buffer`, at `offset` or where the descriptor stands; 0 is the end.
#[allow(dead_code, reason = "for files and pipes, which are to come")]
pub(crate) fn read(
    descriptor: &Descriptor,
    direction: Direction,
    buffer: &mut [u8],
    offset: Option<u64>,
    limit_ns: Option<u64>,
) -> io::Result<usize> {
    descriptor.fit()?;
    let request = Request::Read {
        fd: descriptor.fd(),
        buffer: buffer.as_mut_ptr(),
        length: buffer.len(),
        offset: offset.unwrap_or(u64::MAX),
    };
    // SAFETY: the buffer is borrowed until this returns.
    let answer = unsafe { perform(descriptor, direction, request, limit_ns)? };
    Ok(answer.result as usize)
}
