//! Sending datagrams: sendmsg(2), and what io_uring must not do with it.

use super::{Descriptor, Direction, RawAddress, message, poll, send};
use crate::hub::hub;
use std::io;

/// How long a datagram rests that nothing tells of room for.
const PAUSE_NS: u64 = 1_000_000;

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
            // The socket itself is writable: it is the receiver that has no room, and nothing tells of
            // that. So it waits for an error, for a while.
            Some((name, _)) if i32::from(name.ss_family) == libc::AF_UNIX && left != Some(0) => {
                let pause = left.map_or(PAUSE_NS, |left| left.min(PAUSE_NS));
                match poll(descriptor, Direction::Shared, 0, Some(pause)) {
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                    other => drop(other?),
                }
            }
            _ => drop(poll(descriptor, Direction::Shared, libc::POLLOUT, left)?),
        }
    }
}
