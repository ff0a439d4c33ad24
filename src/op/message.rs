//! recvmsg(2) and sendmsg(2): several buffers, and addresses.
#![expect(unsafe_code, reason = "hands messages to the kernel")]

use super::{Descriptor, Direction, perform};
use crate::driver::{RawAddress, Request};
use crate::hub::hub;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{MaybeUninit, zeroed};
use std::ops::Deref;
use std::ptr::null_mut;

/// The kernel takes no more buffers at once: `UIO_MAXIOV`.
const MOST_BUFFERS: usize = 1024;

/// A message with these buffers and no address.
///
/// The kernel reads and writes behind the addresses only while an operation with it is in flight.
fn message(buffers: *mut libc::iovec, count: usize) -> libc::msghdr {
    // SAFETY: all zero is a message without anything.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = buffers;
    message.msg_iovlen = count.min(MOST_BUFFERS) as _;
    message
}

/// Is there no room in those that the kernel takes? Of a stream, readv(2) and writev(2) return 0 at once then,
/// but recvmsg(2) would wait for bytes, and sendmsg(2) tell of a peer that is gone.
#[inline]
fn are_empty<T: Deref<Target = [u8]>>(buffers: &[T]) -> bool {
    buffers.iter().take(MOST_BUFFERS).all(|buffer| buffer.is_empty())
}

/// A call that transfers nothing.
#[cold]
fn nothing(descriptor: &Descriptor) -> io::Result<usize> {
    hub().raise_pending();
    descriptor.check().map(|()| 0)
}

/// Receives into one buffer after the other out of a stream; 0 is its end.
pub(crate) fn recv_vectored(
    descriptor: &Descriptor,
    direction: Direction,
    buffers: &mut [IoSliceMut<'_>],
    flags: i32,
    limit_ns: Option<u64>,
) -> io::Result<usize> {
    if are_empty(buffers) {
        return nothing(descriptor);
    }
    // An `IoSliceMut` is laid out as an `iovec`: std promises it.
    let mut message = message(buffers.as_mut_ptr().cast(), buffers.len());
    let request = Request::RecvMessage { fd: descriptor.fd(), message: &raw mut message, flags };
    // SAFETY: the message lies in this frame, its buffers are borrowed until this returns.
    let answer = unsafe { perform(descriptor, direction, request, limit_ns)? };
    Ok(answer.result as usize)
}

/// Sends one buffer after the other into a stream, what the socket takes of them; never raises `SIGPIPE`.
pub(crate) fn send_vectored(
    descriptor: &Descriptor,
    direction: Direction,
    buffers: &[IoSlice<'_>],
    flags: i32,
    limit_ns: Option<u64>,
) -> io::Result<usize> {
    if are_empty(buffers) {
        return nothing(descriptor);
    }
    // As above; the kernel only reads them.
    let message = message(buffers.as_ptr().cast_mut().cast(), buffers.len());
    let request = Request::SendMessage { fd: descriptor.fd(), message: &raw const message, flags };
    // SAFETY: as above.
    let answer = unsafe { perform(descriptor, direction, request, limit_ns)? };
    Ok(answer.result as usize)
}

/// Receives a datagram, and says from whom. What does not fit the buffer is lost.
pub(super) fn recv_from(
    descriptor: &Descriptor,
    buffer: &mut [u8],
    flags: i32,
    limit_ns: Option<u64>,
) -> io::Result<(usize, RawAddress)> {
    let mut address = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut buffer = IoSliceMut::new(buffer);
    let mut message = message((&raw mut buffer).cast(), 1);
    message.msg_name = address.as_mut_ptr().cast();
    message.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    let request = Request::RecvMessage { fd: descriptor.fd(), message: &raw mut message, flags };
    // SAFETY: message and address lie in this frame, the buffer is borrowed until this returns.
    let answer = unsafe { perform(descriptor, Direction::Shared, request, limit_ns)? };
    // SAFETY: zeroed to begin with.
    let address = unsafe { address.assume_init() };
    Ok((answer.result as usize, (address, message.msg_namelen)))
}

/// Sends a datagram to an address.
pub(super) fn send_to(
    descriptor: &Descriptor,
    buffer: &[u8],
    address: &RawAddress,
    flags: i32,
    limit_ns: Option<u64>,
) -> io::Result<usize> {
    let buffer = IoSlice::new(buffer);
    let mut message = message((&raw const buffer).cast_mut().cast(), 1);
    message.msg_name = match address.1 {
        0 => null_mut(),
        _ => (&raw const address.0).cast_mut().cast(),
    };
    message.msg_namelen = address.1;
    let request = Request::SendMessage { fd: descriptor.fd(), message: &raw const message, flags };
    // SAFETY: as above; the kernel only reads.
    let answer = unsafe { perform(descriptor, Direction::Shared, request, limit_ns)? };
    Ok(answer.result as usize)
}
