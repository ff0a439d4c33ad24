//! recv(2): bytes out of a socket.
#![expect(unsafe_code, reason = "hands buffers to the kernel")]

use super::{Descriptor, Direction, perform};
use crate::driver::Request;
use crate::hub::{LentBuffer, hub};
use std::fmt;
use std::io;
use std::ops::Deref;

/// Receives into `buffer`; 0 is the end of the stream. `flags` are those of recv(2).
#[inline]
pub(crate) fn recv(
    descriptor: &Descriptor,
    direction: Direction,
    buffer: &mut [u8],
    flags: i32,
    limit_ns: Option<u64>,
) -> io::Result<usize> {
    let request = Request::Recv {
        fd: descriptor.fd(),
        buffer: buffer.as_mut_ptr(),
        length: buffer.len(),
        flags,
    };
    // SAFETY: the buffer is borrowed until this returns.
    let answer = unsafe { perform(descriptor, direction, request, limit_ns)? };
    Ok(answer.result as usize)
}

/// Bytes that were received into a buffer of the hub's pool; dropping them gives it back.
///
/// The pool is shared by all greenlets of the thread: keep them only as long as it takes to look.
pub struct PooledBytes {
    bytes: *const u8,
    length: usize,
    /// None for the end of a stream, for which no buffer was taken.
    buffer: Option<LentBuffer>,
}

impl Deref for PooledBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.buffer.is_none() {
            return &[];
        }
        // SAFETY: the kernel wrote as many bytes there; a lent buffer stays until it is returned.
        unsafe { std::slice::from_raw_parts(self.bytes, self.length) }
    }
}

impl fmt::Debug for PooledBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Receives into a buffer of the hub's pool, which is taken only when there is something to put into
/// it. `None` when all buffers are in use.
pub(crate) fn recv_pooled(
    descriptor: &Descriptor,
    limit_ns: Option<u64>,
) -> io::Result<Option<PooledBytes>> {
    let request = Request::RecvPooled { fd: descriptor.fd(), flags: 0 };
    // SAFETY: the request points to nothing.
    let answer = match unsafe { perform(descriptor, Direction::Read, request, limit_ns) } {
        Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(None),
        answer => answer?,
    };
    let length = answer.result as usize;
    let buffer = answer.buffer.map(|number| hub().lend_buffer(number));
    let bytes = buffer.as_ref().map_or(std::ptr::null(), LentBuffer::bytes);
    Ok(Some(PooledBytes { bytes, length, buffer }))
}
