//! What accepts TCP connections.

use super::{TcpListenerBuilder, TcpStream};
use crate::net::sockaddr;
use crate::net::socket::{self, Socket};
use crate::op::{self, ListenOptions};
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// A TCP socket that accepts connections, with the methods of [`std::net::TcpListener`].
///
/// Any number of greenlets may accept at once: first come, first served. [`accept`] takes one connection
/// from the kernel, [`incoming`] all that there are.
///
/// [`accept`]: TcpListener::accept
/// [`incoming`]: TcpListener::incoming
///
/// ```
/// use greenlet::net::{TcpListener, TcpStream};
/// use std::io::Write;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let server = greenlet::spawn(move || {
///     for stream in listener.incoming().take(3) {
///         greenlet::spawn_detached(move || stream.unwrap().write_all(b"hello").unwrap());
///     }
/// });
/// for _ in 0..3 {
///     TcpStream::connect(address)?;
/// }
/// server.join().unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpListener {
    pub(in crate::net) socket: Socket,
}

impl TcpListener {
    /// Binds to the first of the addresses that can be bound, and listens, with std's options: `SO_REUSEADDR` and
    /// a backlog of 128. Returns at once, unless a name must be looked up.
    ///
    /// ```
    /// let listener = greenlet::net::TcpListener::bind("127.0.0.1:0")?; // any free port
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of socket(2), bind(2) and listen(2). If a name must be looked up, those of [`ToSocketAddrs`], which
    /// blocks the whole thread.
    #[doc(alias = "listen")]
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<TcpListener> {
        TcpListener::bind_with(address, ListenOptions::default())
    }

    /// Chooses other options than those of std.
    pub fn builder() -> TcpListenerBuilder {
        TcpListenerBuilder::new()
    }

    /// As [`bind`](TcpListener::bind), with other options.
    pub(crate) fn bind_with<A: ToSocketAddrs>(
        address: A,
        options: ListenOptions,
    ) -> io::Result<TcpListener> {
        let listen = |address: &SocketAddr| op::listening(&sockaddr::encode(address), options);
        Ok(TcpListener { socket: Socket::new(sockaddr::first(address, listen)?) })
    }

    /// Takes the next connection; returns it and the peer's address. Parks until there is one.
    ///
    /// ```
    /// use greenlet::net::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// let (stream, peer) = listener.accept()?;
    /// assert_eq!(peer, client.local_addr()?);
    /// assert_eq!(stream.peer_addr()?, peer);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of accept(2). One of them is `EMFILE`, for which trying again at once does not help: see
    /// [`incoming`](TcpListener::incoming). `NotConnected` after [`close`](TcpListener::close).
    ///
    /// # Cancellation
    /// No connection is lost: one that has come is returned, and the interrupt raised at the next
    /// call; others stay in the kernel's queue.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, address) = self.socket.accept()?;
        Ok((TcpStream { socket }, sockaddr::decode(&address)?))
    }

    /// An endless iterator over the connections that come; `next` parks until there is one.
    ///
    /// On io_uring the kernel accepts connections ahead, which is faster than one by one: from the first `next`
    /// until this is dropped, or 64 or more have not been taken. Those that were not taken come first in
    /// later calls of `accept` and `incoming`; they are closed when the listener is dropped or closed: their clients
    /// read the end of the stream, or an error if they have sent something. So use
    /// `accept` in a loop if others accept from the same socket ([`try_clone`](TcpListener::try_clone),
    /// other processes), or if waiting connections are to stay in the kernel's queue. If this is
    /// forgotten ([`std::mem::forget`]), the kernel goes on accepting until the listener is closed on the thread
    /// that used it, or that thread ends.
    ///
    /// While there is no descriptor or memory for one more (`EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`),
    /// it waits and tries again: after 10 ms, then twice as long each time, up to a second. It says so on
    /// standard error, once a second at most.
    ///
    /// # Errors
    /// Each item may be an error of [`accept`](TcpListener::accept), but not one of these four. After
    /// [`close`](TcpListener::close) every item is the error `NotConnected`.
    ///
    /// # Cancellation
    /// As [`accept`](TcpListener::accept). Dropping it waits for the kernel, and is not interrupted.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { incoming: self.socket.incoming(), listener: self }
    }

    /// Ends the calls in which other greenlets wait, and closes the socket. Parks until the kernel has let go of
    /// it. A second call does nothing.
    ///
    /// Unless a [clone](TcpListener::try_clone) keeps the socket open, new connections are refused and waiting
    /// ones are reset. Those that [`incoming`](TcpListener::incoming) had accepted ahead are closed in any case.
    ///
    /// ```
    /// use greenlet::net::TcpListener;
    /// use std::{io::ErrorKind, rc::Rc};
    /// let listener = Rc::new(TcpListener::bind("127.0.0.1:0")?);
    /// let same = listener.clone();
    /// let server = greenlet::spawn(move || same.accept().map(drop));
    /// greenlet::yield_now();
    /// listener.close()?;
    /// assert_eq!(server.join().unwrap().unwrap_err().kind(), ErrorKind::NotConnected);
    /// # Ok::<(), std::io::Error>(())
    /// ```
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
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        Ok(TcpListener { socket: self.socket.try_clone()? })
    }

    /// The address that it listens at.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        sockaddr::decode(&self.socket.local_name()?)
    }

    /// Makes accepting through this value return `WouldBlock` where it would wait.
    ///
    /// # Errors
    /// `NotConnected` when it was closed.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking)
    }

    /// Sets `IP_TTL`: how many routers a packet may pass.
    ///
    /// # Errors
    /// Those of setsockopt(2).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.set_option(libc::IPPROTO_IP, libc::IP_TTL, ttl as i32)
    }

    /// `IP_TTL`.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn ttl(&self) -> io::Result<u32> {
        Ok(self.socket.option(libc::IPPROTO_IP, libc::IP_TTL)? as u32)
    }

    /// Takes the error that the socket has stored (`SO_ERROR`).
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let here = self.local_addr().ok().map(|address| address.to_string());
        self.socket.show(f, "TcpListener", &[("addr", here)])
    }
}

/// The connections that come to a [`TcpListener`]; made by [`incoming`](TcpListener::incoming).
pub struct Incoming<'a> {
    incoming: socket::Incoming<'a>,
    listener: &'a TcpListener,
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("listener", self.listener).finish()
    }
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.incoming.next().map(|socket| TcpStream { socket }))
    }
}

impl std::iter::FusedIterator for Incoming<'_> {}

impl<'a> IntoIterator for &'a TcpListener {
    type Item = io::Result<TcpStream>;
    type IntoIter = Incoming<'a>;

    fn into_iter(self) -> Incoming<'a> {
        self.incoming()
    }
}
