//! connect(2)
#![expect(unsafe_code, reason = "hands an address to the kernel")]

use super::poll::pause;
use super::{Descriptor, Direction, perform, poll, take_error};
use crate::driver::{RawAddress, Request};
use crate::hub::hub;
use std::io;

/// Connects a socket; parks until the other side has answered.
pub(crate) fn connect(
    descriptor: &Descriptor,
    address: &RawAddress,
    limit_ns: Option<u64>,
) -> io::Result<()> {
    descriptor.fit()?;
    let (name, length) = (&address.0, address.1);
    assert!(length as usize <= size_of::<libc::sockaddr_storage>());
    let end = limit_ns.map(|limit| hub().now().saturating_add(limit));
    let left = || end.map(|end| end.saturating_sub(hub().now()));
    loop {
        let request =
            Request::Connect { fd: descriptor.fd(), address: (&raw const *name).cast(), length };
        // SAFETY: the address is borrowed until this returns, and as long as its storage.
        match unsafe { perform(descriptor, Direction::Write, request, left()) } {
            // A UNIX listener's queue is full: nothing has begun, and nothing tells when it has room.
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => pause(left())?,
            // It was interrupted, by a limit that was cancelled meanwhile, and goes on by itself; connect(2).
            Err(error) if error.raw_os_error() == Some(libc::EALREADY) => {
                poll(descriptor, Direction::Write, libc::POLLOUT, left())?;
                return take_error(descriptor)?.map_or(Ok(()), Err);
            }
            other => return other.map(drop),
        }
    }
}
