//! Datagrams: received in turn, and sent in a way that io_uring does not garble.

use super::poll::pause;
use super::turn::in_turn;
use super::{Descriptor, Direction, message, poll, recv, send};
use crate::driver::RawAddress;
use crate::hub::hub;
use std::io;

/// Receives a datagram; what does not fit the buffer is lost.
pub(crate) fn recv_datagram(
    descriptor: &Descriptor,
    buffer: &mut [u8],
    flags: i32,
    limit_ns: Option<u64>,
) -> io::Result<usize> {
    in_turn(descriptor, limit_ns, |limit_ns| {
        recv(descriptor, Direction::Shared, buffer, flags, limit_ns)
    })
}

/// As [`recv_datagram`]; says from whom.
pub(crate) fn recv_from(
    descriptor: &Descriptor,
    buffer: &mut [u8],
    flags: i32,
    limit_ns: Option<u64>,
) -> io::Result<(usize, RawAddress)> {
    in_turn(descriptor, limit_ns, |limit_ns| {
        message::recv_from(descriptor, buffer, flags, limit_ns)
    })
}

/// Sends a datagram, to an address or to the peer; parks while there is no room for it.
///
/// Never left to the kernel to try again: a UNIX socket copies the bytes before it looks for room at
/// the receiver, and io_uring (6.18) goes on behind them the second time, so that an empty datagram
/// would arrive. The same holds for UDP whose first fragment was copied. So each attempt is an
/// operation of its own, which does not wait, and waiting is another one.
pub(crate) fn send_datagram(
    descriptor: &Descriptor,
    buffer: &[u8],
    address: Option<&RawAddress>,
    flags: i32,
    limit_ns: Option<u64>,
) -> io::Result<usize> {
    let at_once = flags | libc::MSG_DONTWAIT;
    let end = limit_ns.map(|limit| hub().now().saturating_add(limit));
    loop {
        let left = end.map(|end| end.saturating_sub(hub().now()));
        let sent = match address {
            Some(address) => message::send_to(descriptor, buffer, address, at_once, left),
            None => send(descriptor, Direction::Shared, buffer, at_once, left),
        };
        match sent {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) && flags != at_once => {}
            sent => return sent,
        }
        match address {
            // The socket itself is writable: it is the receiver that has no room.
            Some((name, _)) if i32::from(name.ss_family) == libc::AF_UNIX => {
                pause(left)?;
            }
            _ => drop(poll(descriptor, Direction::Shared, libc::POLLOUT, left)?),
        }
    }
}
