//! accept4(2): a connection out of a listener's queue, one for each who asks.
//!
//! Those that a loop has left, or still brings, come first: `arrivals.rs`.
#![expect(unsafe_code, reason = "the kernel writes an address")]

use super::socket::peer_name_of;
use super::turn::in_turn;
use super::{Descriptor, Direction, NewFd, arrivals, perform};
use crate::driver::{RawAddress, Request, no_address};
use crate::hub::hub;
use std::io;

/// Takes the next connection, in the mode that this thread's hub wants, and the peer's address.
pub(crate) fn accept(
    descriptor: &Descriptor,
    limit_ns: Option<u64>,
) -> io::Result<(NewFd, RawAddress)> {
    in_turn(descriptor, limit_ns, |limit_ns| match arrivals::take(descriptor, false, limit_ns)? {
        Some(fd) => peer(fd),
        None => accept_now(descriptor, limit_ns),
    })
}

/// A connection that was accepted without its address.
#[cold]
fn peer(fd: NewFd) -> io::Result<(NewFd, RawAddress)> {
    match peer_name_of(fd.fd()) {
        Ok(name) => Ok((fd, name)),
        // Reset by now. The listener is all right.
        Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => {
            Err(io::Error::from_raw_os_error(libc::ECONNABORTED))
        }
        Err(error) => Err(error),
    }
}

/// As [`accept`], for whoever has his turn.
pub(super) fn accept_now(
    descriptor: &Descriptor,
    limit_ns: Option<u64>,
) -> io::Result<(NewFd, RawAddress)> {
    descriptor.fit()?;
    let mut address = no_address();
    let nonblocking = if hub().wants_nonblocking() { libc::SOCK_NONBLOCK } else { 0 };
    let request = Request::Accept {
        fd: descriptor.fd(),
        address: (&raw mut address.0).cast(),
        length: &raw mut address.1,
        flags: libc::SOCK_CLOEXEC | nonblocking,
    };
    // SAFETY: it lies in this frame until this returns.
    let answer = unsafe { perform(descriptor, Direction::Shared, request, limit_ns)? };
    Ok((NewFd::new(answer.result), address))
}
