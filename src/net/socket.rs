//! What all sockets are: a descriptor, how long its calls may take, and whether they may park.

use super::patience::accept_patiently;
use crate::driver::RawAddress;
use crate::op::{self, Descriptor, Direction, PooledBytes};
use std::cell::Cell;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// A socket of any kind.
pub(super) struct Socket {
    pub(super) descriptor: Descriptor,
    read_limit: Cell<Limit>,
    write_limit: Cell<Limit>,
    nonblocking: Cell<bool>,
}

/// How long a call may take, in nanoseconds.
type Limit = Option<u64>;

impl Socket {
    pub(super) fn new(descriptor: Descriptor) -> Socket {
        Socket {
            descriptor,
            read_limit: Cell::new(None),
            write_limit: Cell::new(None),
            nonblocking: Cell::new(false),
        }
    }

    /// Takes over what std or others have made, in whatever mode it is.
    pub(super) fn adopt(fd: OwnedFd) -> io::Result<Socket> {
        Ok(Socket::new(Descriptor::adopt(fd)?))
    }

    /// Another name for the same socket, with the same limits and mode.
    pub(super) fn try_clone(&self) -> io::Result<Socket> {
        Ok(Socket {
            descriptor: op::duplicate(&self.descriptor)?,
            read_limit: self.read_limit.clone(),
            write_limit: self.write_limit.clone(),
            nonblocking: self.nonblocking.clone(),
        })
    }

    /// A number among the options.
    pub(super) fn option(&self, level: i32, name: i32) -> io::Result<i32> {
        op::option(&self.descriptor, level, name)
    }

    pub(super) fn set_option(&self, level: i32, name: i32, value: i32) -> io::Result<()> {
        op::set_option(&self.descriptor, level, name, value)
    }

    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        op::take_error(&self.descriptor)
    }

    /// The names on this side and on the other.
    pub(super) fn local_name(&self) -> io::Result<RawAddress> {
        op::local_name(&self.descriptor)
    }

    pub(super) fn peer_name(&self) -> io::Result<RawAddress> {
        op::peer_name(&self.descriptor)
    }

    // Limits and mode.

    pub(super) fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.read_limit.set(nanoseconds(limit)?);
        Ok(())
    }

    pub(super) fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.write_limit.set(nanoseconds(limit)?);
        Ok(())
    }

    pub(super) fn read_timeout(&self) -> Option<Duration> {
        self.read_limit.get().map(Duration::from_nanos)
    }

    pub(super) fn write_timeout(&self) -> Option<Duration> {
        self.write_limit.get().map(Duration::from_nanos)
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.descriptor.check()?;
        self.nonblocking.set(nonblocking);
        Ok(())
    }

    /// Calls `once` with the flags and the limit that are in force. A call that may not park is one
    /// without time: what is there at once wins over that, as over every limit.
    #[inline(always)]
    fn limited<T>(
        &self,
        limit: &Cell<Limit>,
        once: impl FnOnce(i32, Limit) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.nonblocking.get() { at_once(once) } else { once(0, limit.get()) }
    }

    // Calls that may park.

    #[inline]
    pub(super) fn recv(&self, buffer: &mut [u8], flags: i32) -> io::Result<usize> {
        self.limited(&self.read_limit, |mode, limit| {
            op::recv(&self.descriptor, Direction::Read, buffer, flags | mode, limit)
        })
    }

    pub(super) fn recv_datagram(&self, buffer: &mut [u8], flags: i32) -> io::Result<usize> {
        self.limited(&self.read_limit, |mode, limit| {
            op::recv_datagram(&self.descriptor, buffer, flags | mode, limit)
        })
    }

    pub(super) fn recv_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.limited(&self.read_limit, |mode, limit| {
            op::recv_vectored(&self.descriptor, Direction::Read, buffers, mode, limit)
        })
    }

    pub(super) fn recv_pooled(&self) -> io::Result<PooledBytes> {
        self.limited(&self.read_limit, |mode, limit| op::recv_pooled(&self.descriptor, mode, limit))
    }

    pub(super) fn recv_from(
        &self,
        buffer: &mut [u8],
        flags: i32,
    ) -> io::Result<(usize, RawAddress)> {
        self.limited(&self.read_limit, |mode, limit| {
            op::recv_from(&self.descriptor, buffer, flags | mode, limit)
        })
    }

    #[inline]
    pub(super) fn send(&self, buffer: &[u8]) -> io::Result<usize> {
        self.limited(&self.write_limit, |mode, limit| {
            op::send(&self.descriptor, Direction::Write, buffer, mode, limit)
        })
    }

    pub(super) fn send_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.limited(&self.write_limit, |mode, limit| {
            op::send_vectored(&self.descriptor, Direction::Write, buffers, mode, limit)
        })
    }

    /// Sends a datagram, to an address or to the peer.
    pub(super) fn send_datagram(
        &self,
        buffer: &[u8],
        address: Option<&RawAddress>,
    ) -> io::Result<usize> {
        self.limited(&self.write_limit, |mode, limit| {
            op::send_datagram(&self.descriptor, buffer, address, mode, limit)
        })
    }

    pub(super) fn accept(&self) -> io::Result<(Socket, RawAddress)> {
        let (fd, address) =
            self.limited(&self.read_limit, |_, limit| op::accept(&self.descriptor, limit))?;
        Ok((Socket::new(Descriptor::adopt_as_is(fd)), address))
    }

    pub(super) fn incoming(&self) -> Incoming<'_> {
        Incoming { socket: self, loops: op::Incoming::new(&self.descriptor) }
    }

    pub(super) fn close(&self) -> io::Result<()> {
        self.descriptor.close()
    }

    /// As std shows sockets.
    pub(super) fn show(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        addresses: &[(&str, Option<String>)],
    ) -> fmt::Result {
        let mut shown = f.debug_struct(name);
        for (name, address) in addresses {
            if let Some(address) = address {
                shown.field(name, &format_args!("{address}"));
            }
        }
        shown.field("fd", &self.descriptor).finish()
    }
}

/// The connections that come to a listener.
pub(super) struct Incoming<'a> {
    socket: &'a Socket,
    loops: op::Incoming<'a>,
}

impl Incoming<'_> {
    /// The next one; patient as `patience.rs` says.
    pub(super) fn next(&mut self) -> io::Result<Socket> {
        let Incoming { socket, loops } = self;
        let fd =
            accept_patiently(|| socket.limited(&socket.read_limit, |_, limit| loops.next(limit)))?;
        Ok(Socket::new(Descriptor::adopt_as_is(fd)))
    }
}

#[cold]
fn at_once<T>(once: impl FnOnce(i32, Limit) -> io::Result<T>) -> io::Result<T> {
    once(libc::MSG_DONTWAIT, Some(0)).map_err(|error| match error.raw_os_error() {
        None if error.kind() == io::ErrorKind::TimedOut => {
            io::Error::from_raw_os_error(libc::EWOULDBLOCK)
        }
        _ => error,
    })
}

/// A limit as std takes it.
pub(super) fn nanoseconds(limit: Option<Duration>) -> io::Result<Limit> {
    match limit {
        Some(Duration::ZERO) => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot set a 0 duration timeout"))
        }
        Some(limit) => Ok(Some(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX))),
        None => Ok(None),
    }
}
