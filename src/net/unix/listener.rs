//! What accepts UNIX streams.

use super::UnixStream;
use crate::net::sockaddr;
use crate::net::socket::{self, Socket};
use crate::op::{self, ListenOptions};
use std::fmt;
use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// A UNIX socket that accepts connections, with the methods of [`std::os::unix::net::UnixListener`].
///
/// Any number of greenlets may accept at once: first come, first served. As in std, the socket file stays when
/// this is dropped.
///
/// ```
/// use greenlet::net::{UnixListener, UnixSocketAddr, UnixStream};
/// use std::{io::Write, os::linux::net::SocketAddrExt};
///
/// let name = UnixSocketAddr::from_abstract_name(format!("greenlet {}", std::process::id()))?;
/// let listener = UnixListener::bind_addr(&name)?;
/// let mut client = UnixStream::connect_addr(&name)?;
/// let (server, _) = listener.accept()?;
/// client.write_all(b"bytes")?;
/// assert_eq!(&server.read_pooled()?[..], b"bytes");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixListener {
    pub(in crate::net) socket: Socket,
}

impl UnixListener {
    /// Binds to a path, at which a socket file is made, and listens. Returns at once.
    ///
    /// # Errors
    /// Those of bind(2): `EADDRINUSE` if there is a file already.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`bind`](UnixListener::bind), but also takes abstract names.
    ///
    /// # Errors
    /// Those of bind(2).
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        UnixListener::bind_with(address, ListenOptions::default())
    }

    /// As [`bind_addr`](UnixListener::bind_addr), with another backlog.
    pub(crate) fn bind_with(
        address: &SocketAddr,
        options: ListenOptions,
    ) -> io::Result<UnixListener> {
        let listener = op::listening(&sockaddr::encode_unix(address), options)?;
        Ok(UnixListener { socket: Socket::new(listener) })
    }

    /// Takes the next connection; returns it and the peer's address. Parks until there is one.
    ///
    /// # Errors
    /// Those of accept(2); see [`TcpListener::accept`](crate::net::TcpListener::accept).
    ///
    /// # Cancellation
    /// No connection is lost: one that has come is returned, and the interrupt raised at the next
    /// call; others stay in the kernel's queue.
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (socket, address) = self.socket.accept()?;
        Ok((UnixStream { socket }, sockaddr::decode_unix(&address)?))
    }

    /// An endless iterator over the connections that come: see
    /// [`TcpListener::incoming`](crate::net::TcpListener::incoming).
    ///
    /// # Errors
    /// Each item may be an error of [`accept`](UnixListener::accept); if descriptors or memory are short, `next`
    /// waits instead.
    ///
    /// # Cancellation
    /// As [`accept`](UnixListener::accept).
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming { incoming: self.socket.incoming(), listener: self }
    }

    /// Ends the calls in which other greenlets wait, and closes the socket: see
    /// [`TcpListener::close`](crate::net::TcpListener::close).
    ///
    /// # Errors
    /// Those of close(2); it is closed nevertheless.
    ///
    /// # Cancellation
    /// This is not interrupted, as it waits only for the kernel.
    pub fn close(&self) -> io::Result<()> {
        self.socket.close()
    }

    /// A second value for the same socket, which another thread may use. Returns at once.
    ///
    /// If you turn it into a listener of std, the two still share the kernel's blocking mode: except on io_uring,
    /// std's `accept` returns `WouldBlock` once this one has accepted.
    ///
    /// # Errors
    /// Those of fcntl(2): `EMFILE`.
    pub fn try_clone(&self) -> io::Result<UnixListener> {
        Ok(UnixListener { socket: self.socket.try_clone()? })
    }

    /// The name that it listens at. Returns at once.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        sockaddr::decode_unix(&self.socket.local_name()?)
    }

    /// Makes accepting through this value return `WouldBlock` where it would wait.
    ///
    /// # Errors
    /// `NotConnected` when it was closed.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking)
    }

    /// Takes the error that the socket has stored (`SO_ERROR`). Returns at once.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let here = self.local_addr().ok().map(|address| format!("{address:?}"));
        self.socket.show(f, "UnixListener", &[("local", here)])
    }
}

/// The connections that come to a [`UnixListener`]; made by [`incoming`](UnixListener::incoming).
pub struct UnixIncoming<'a> {
    incoming: socket::Incoming<'a>,
    listener: &'a UnixListener,
}

impl fmt::Debug for UnixIncoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixIncoming").field("listener", self.listener).finish()
    }
}

impl Iterator for UnixIncoming<'_> {
    type Item = io::Result<UnixStream>;

    fn next(&mut self) -> Option<io::Result<UnixStream>> {
        Some(self.incoming.next().map(|socket| UnixStream { socket }))
    }
}

impl std::iter::FusedIterator for UnixIncoming<'_> {}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = UnixIncoming<'a>;

    fn into_iter(self) -> UnixIncoming<'a> {
        self.incoming()
    }
}
