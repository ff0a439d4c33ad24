//! recv(2): bytes out of a socket.
#![expect(unsafe_code, reason = "hands buffers to the kernel")]

use super::{Descriptor, Direction, perform, poll};
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

/// Bytes that were received into a buffer of the hub's pool; dropping this gives the buffer back.
///
/// The pool, 256 buffers of 4,096 bytes, is shared by all greenlets of the thread: keep this only briefly.
/// If all buffers were in use, the bytes lie in newly allocated memory. No bytes at all mean the end of the
/// stream.
pub struct PooledBytes(Held);

enum Held {
    /// A buffer of the pool, and how many bytes the kernel wrote there.
    Lent(LentBuffer, usize),
    Own(Vec<u8>),
}

impl PooledBytes {
    /// Whether the bytes lie in the pool. If not, all buffers were in use, or the stream is at its end.
    pub fn is_pooled(&self) -> bool {
        matches!(self.0, Held::Lent(..))
    }
}

impl Deref for PooledBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            // SAFETY: the kernel wrote as many bytes there; a lent buffer stays until it is returned.
            Held::Lent(buffer, length) => unsafe {
                std::slice::from_raw_parts(buffer.bytes(), *length)
            },
            Held::Own(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for PooledBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<PooledBytes> for Vec<u8> {
    /// Copies them out of the pool, if they lie there.
    fn from(bytes: PooledBytes) -> Vec<u8> {
        match bytes.0 {
            Held::Lent(..) => bytes.to_vec(),
            Held::Own(bytes) => bytes,
        }
    }
}

impl fmt::Debug for PooledBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// How long the buffer is that stands in for one of the pool.
const OWN_BYTES: usize = 4096;

/// Receives into a buffer of the hub's pool, which is taken only when there is something to put into
/// it; or, when all are in use, into a new one, which is made only then, too.
pub(crate) fn recv_pooled(
    descriptor: &Descriptor,
    flags: i32,
    limit_ns: Option<u64>,
) -> io::Result<PooledBytes> {
    let request = Request::RecvPooled { fd: descriptor.fd(), flags };
    // SAFETY: the request points to nothing.
    let answer = match unsafe { perform(descriptor, Direction::Read, request, limit_ns) } {
        Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
            return recv_own(descriptor, flags, limit_ns);
        }
        answer => answer?,
    };
    Ok(PooledBytes(match answer.buffer {
        Some(number) => Held::Lent(hub().lend_buffer(number), answer.result as usize),
        None => Held::Own(Vec::new()), // the end of the stream, for which no buffer was taken
    }))
}

#[cold]
fn recv_own(descriptor: &Descriptor, flags: i32, limit_ns: Option<u64>) -> io::Result<PooledBytes> {
    let end = limit_ns.map(|ns| hub().moment_ns(ns));
    if flags & libc::MSG_DONTWAIT == 0 {
        poll(descriptor, Direction::Read, libc::POLLIN, limit_ns)?;
    }
    // Another reader may have run since and taken what there was: this may wait again.
    let left_ns = end.map(|end| end.saturating_sub(hub().now()));
    let mut bytes = vec![0; OWN_BYTES];
    let length = recv(descriptor, Direction::Read, &mut bytes, flags, left_ns)?;
    bytes.truncate(length);
    Ok(PooledBytes(Held::Own(bytes)))
}
