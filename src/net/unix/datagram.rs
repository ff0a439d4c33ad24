//! UNIX datagrams.

use crate::net::limit::limits;
use crate::net::sockaddr;
use crate::net::socket::Socket;
use crate::net::unix::peer::peer;
use crate::op::{self, Descriptor};
use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// A socket for datagrams between processes of this machine, with the methods of
/// [`std::os::unix::net::UnixDatagram`].
///
/// Any number of greenlets may send and receive; receivers are served in the order in which they came. Datagrams
/// are not lost on the way: sending waits while the receiver's queue is full.
///
/// ```
/// use greenlet::net::UnixDatagram;
/// let (a, b) = UnixDatagram::pair()?;
/// a.send(b"datagram")?;
/// let mut buffer = [0; 64];
/// assert_eq!(b.recv(&mut buffer)?, 8);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// As those of [`UdpSocket`](crate::net::UdpSocket).
///
/// # Cancellation
/// As [`UdpSocket`](crate::net::UdpSocket): a call that is interrupted has neither taken nor sent a datagram.
pub struct UnixDatagram {
    pub(in crate::net) socket: Socket,
}

limits!(UnixDatagram, "let socket = UnixDatagram::unbound()?;");
peer!(UnixDatagram);

impl UnixDatagram {
    /// Binds to a path, at which a socket file is made. Returns at once.
    ///
    /// # Errors
    /// Those of bind(2): `EADDRINUSE` if there is a file already.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`bind`](UnixDatagram::bind), but also takes abstract names.
    ///
    /// # Errors
    /// Those of bind(2).
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        UnixDatagram::of(op::bound(&sockaddr::encode_unix(address), libc::SOCK_DGRAM))
    }

    /// Makes a socket without a name. Returns at once.
    ///
    /// # Errors
    /// Those of socket(2).
    pub fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::of(op::socket(libc::AF_UNIX, libc::SOCK_DGRAM))
    }

    /// Makes two sockets that are connected with each other. Returns at once.
    ///
    /// # Errors
    /// Those of socketpair(2).
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let [a, b] = op::pair(libc::AF_UNIX, libc::SOCK_DGRAM)?;
        Ok((UnixDatagram::of(Ok(a))?, UnixDatagram::of(Ok(b))?))
    }

    fn of(made: io::Result<Descriptor>) -> io::Result<UnixDatagram> {
        Ok(UnixDatagram { socket: Socket::new(made?) })
    }

    /// Chooses the peer, by the path of its socket file. Returns at once.
    ///
    /// # Errors
    /// Those of connect(2).
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`connect`](UnixDatagram::connect), but also takes abstract names.
    ///
    /// # Errors
    /// Those of connect(2).
    pub fn connect_addr(&self, address: &SocketAddr) -> io::Result<()> {
        op::associate(&self.socket.descriptor, &sockaddr::encode_unix(address))
    }

    /// Receives a datagram; returns its length and its sender. Bytes that do not fit are lost. Parks until there
    /// is one.
    ///
    /// ```
    /// use greenlet::net::{UnixDatagram, UnixSocketAddr};
    /// use std::os::linux::net::SocketAddrExt;
    /// let name = UnixSocketAddr::from_abstract_name(format!("greenlet d {}", std::process::id()))?;
    /// let (a, b) = (UnixDatagram::unbound()?, UnixDatagram::bind_addr(&name)?);
    /// a.send_to_addr(b"datagram", &name)?;
    /// let (length, from) = b.recv_from(&mut [0; 64])?;
    /// assert!(length == 8 && from.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As the [type](UnixDatagram) says.
    ///
    /// # Cancellation
    /// As the [type](UnixDatagram) says.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, address) = self.socket.recv_from(buffer, 0)?;
        Ok((length, sockaddr::decode_unix(&address)?))
    }

    /// Receives a datagram; bytes that do not fit are lost. Parks until there is one.
    ///
    /// # Errors
    /// As the [type](UnixDatagram) says.
    ///
    /// # Cancellation
    /// As the [type](UnixDatagram) says.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv_datagram(buffer, 0)
    }

    /// Sends a datagram to the socket at `path`. Parks while its queue is full.
    ///
    /// # Errors
    /// As the [type](UnixDatagram) says; `InvalidInput` for a path that is too long.
    ///
    /// # Cancellation
    /// As the [type](UnixDatagram) says.
    pub fn send_to<P: AsRef<Path>>(&self, buffer: &[u8], path: P) -> io::Result<usize> {
        self.send_to_addr(buffer, &SocketAddr::from_pathname(path)?)
    }

    /// As [`send_to`](UnixDatagram::send_to), but also takes abstract names.
    ///
    /// # Errors
    /// As the [type](UnixDatagram) says.
    ///
    /// # Cancellation
    /// As the [type](UnixDatagram) says.
    pub fn send_to_addr(&self, buffer: &[u8], address: &SocketAddr) -> io::Result<usize> {
        self.socket.send_datagram(buffer, Some(&sockaddr::encode_unix(address)))
    }

    /// Sends a datagram to the peer. Parks while its queue is full.
    ///
    /// # Errors
    /// As the [type](UnixDatagram) says.
    ///
    /// # Cancellation
    /// As the [type](UnixDatagram) says.
    pub fn send(&self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.send_datagram(buffer, None)
    }
}
