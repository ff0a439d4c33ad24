//! accept4(2): a connection out of a listener's queue, one for each who asks.
//!
//! Those that a loop has left, or still brings, come first: `arrivals.rs`.
#![expect(unsafe_code, reason = "the kernel writes an address")]

use super::turn::in_turn;
use super::{Descriptor, Direction, RawAddress, arrivals, perform};
use crate::driver::Request;
use crate::hub::hub;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Takes the next connection, in the mode that this thread's hub wants, and the peer's address.
pub(crate) fn accept(
    descriptor: &Descriptor,
    limit_ns: Option<u64>,
) -> io::Result<(OwnedFd, RawAddress)> {
    in_turn(descriptor, limit_ns, |limit_ns| match arrivals::take(descriptor, false, limit_ns)? {
        Some(fd) => peer(fd),
        None => accept_now(descriptor, limit_ns),
    })
}

/// A connection that was accepted without its address.
#[cold]
fn peer(fd: OwnedFd) -> io::Result<(OwnedFd, RawAddress)> {
    let mut address = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: the variables have the room that they say.
    let result =
        unsafe { libc::getpeername(fd.as_raw_fd(), address.as_mut_ptr().cast(), &raw mut length) };
    match (result, io::Error::last_os_error()) {
        // SAFETY: zeroed to begin with.
        (0, _) => Ok((fd, (unsafe { address.assume_init() }, length))),
        // Reset by now. The listener is all right.
        (_, error) if error.raw_os_error() == Some(libc::ENOTCONN) => {
            Err(io::Error::from_raw_os_error(libc::ECONNABORTED))
        }
        (_, error) => Err(error),
    }
}

/// As [`accept`], for whoever has his turn.
pub(super) fn accept_now(
    descriptor: &Descriptor,
    limit_ns: Option<u64>,
) -> io::Result<(OwnedFd, RawAddress)> {
    descriptor.fit()?;
    let mut address = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    let nonblocking = if hub().wants_nonblocking() { libc::SOCK_NONBLOCK } else { 0 };
    let request = Request::Accept {
        fd: descriptor.fd(),
        address: address.as_mut_ptr().cast(),
        length: &raw mut length,
        flags: libc::SOCK_CLOEXEC | nonblocking,
    };
    // SAFETY: both lie in this frame until this returns.
    let answer = unsafe { perform(descriptor, Direction::Shared, request, limit_ns)? };
    // SAFETY: a new descriptor, nobody else's.
    let fd = unsafe { OwnedFd::from_raw_fd(answer.result) };
    // SAFETY: zeroed to begin with.
    Ok((fd, (unsafe { address.assume_init() }, length)))
}
