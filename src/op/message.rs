//! recvmsg(2) and sendmsg(2): several buffers, addresses, ancillary data.
#![expect(unsafe_code, reason = "hands messages to the kernel")]

use super::{Descriptor, Direction, perform};
use crate::driver::Request;
use std::io;

/// Receives a message; how many bytes it had.
///
/// # Safety
/// - All that `message` points to is valid for as long as this runs, and writable.
pub(crate) unsafe fn receive_message(
    descriptor: &Descriptor,
    direction: Direction,
    message: &mut libc::msghdr,
    flags: i32,
    limit_ns: Option<u64>,
) -> io::Result<usize> {
    let request = Request::RecvMessage { fd: descriptor.fd(), message, flags };
    // SAFETY: forwarded; the message itself is borrowed.
    let answer = unsafe { perform(descriptor, direction, request, limit_ns)? };
    Ok(answer.result as usize)
}

/// Sends a message; how many bytes were taken.
///
/// # Safety
/// - All that `message` points to is valid for as long as this runs.
pub(crate) unsafe fn send_message(
    descriptor: &Descriptor,
    direction: Direction,
    message: &libc::msghdr,
    flags: i32,
    limit_ns: Option<u64>,
) -> io::Result<usize> {
    let request = Request::SendMessage { fd: descriptor.fd(), message, flags };
    // SAFETY: forwarded; the message itself is borrowed.
    let answer = unsafe { perform(descriptor, direction, request, limit_ns)? };
    Ok(answer.result as usize)
}
