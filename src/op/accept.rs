//! accept4(2): a connection out of a listener's queue, one for each who asks.
//!
//! Accepting many by one entry was tried: 2 to 6 of 20 to 28 us of processor time less for each
//! connection that brings a byte and takes one (6.18, 1 to 200 clients at once). It belongs to a loop
//! that takes all there is, not to a single call: what nobody has asked for yet would be held here,
//! where a listener that moves to another thread, or is closed, must not leave it.
#![expect(unsafe_code, reason = "the kernel writes an address")]

use super::turn::in_turn;
use super::{Descriptor, Direction, RawAddress, perform};
use crate::driver::Request;
use crate::hub::hub;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};

/// Takes the next connection, in the mode that this thread's hub wants, and the peer's address.
pub(crate) fn accept(
    descriptor: &Descriptor,
    limit_ns: Option<u64>,
) -> io::Result<(OwnedFd, RawAddress)> {
    in_turn(descriptor, limit_ns, |limit_ns| accept_now(descriptor, limit_ns))
}

fn accept_now(descriptor: &Descriptor, limit_ns: Option<u64>) -> io::Result<(OwnedFd, RawAddress)> {
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
