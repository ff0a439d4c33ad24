//! A TCP connection.

use crate::net::limit::limits;
use crate::net::sockaddr;
use crate::net::socket::{Socket, nanoseconds};
use crate::net::stream::stream;
use crate::op::{self, PooledBytes};
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// A TCP connection, with the methods of [`std::net::TcpStream`].
///
/// Read and write by [`Read`] and [`Write`], which `&TcpStream` implements too: one greenlet may read while
/// another writes. Dropping it closes it, unless a [clone](TcpStream::try_clone) is left.
///
/// ```
/// use greenlet::net::{TcpListener, TcpStream};
/// use std::io::{Read, Write};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (mut server, _) = listener.accept()?;
/// client.write_all(b"ping")?;
/// let mut four = [0; 4];
/// server.read_exact(&mut four)?;
/// assert_eq!(&four, b"ping");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Reading and writing give those of the system calls; `TimedOut` after a
/// [limit](TcpStream::set_read_timeout); `ResourceBusy` while another greenlet does the same;
/// `NotConnected` after [`close`](TcpStream::close). Writing to a peer that has closed is
/// `BrokenPipe`, and never raises `SIGPIPE`.
///
/// # Cancellation
/// A read that is interrupted has taken no bytes, a write has sent none. If bytes were transferred already the
/// call returns their number, and the interrupt is raised at the next one.
#[doc(alias("socket", "GreenSocket", "sendall", "makefile"))]
pub struct TcpStream {
    pub(in crate::net) socket: Socket,
}

limits!(
    TcpStream,
    "let listener = TcpListener::bind(\"127.0.0.1:0\")?;\nlet socket = TcpStream::connect(listener.local_addr()?)?;"
);

impl TcpStream {
    /// Connects; tries each address in turn. Parks until one has answered, or all have refused.
    ///
    /// ```
    /// use greenlet::net::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect(listener.local_addr()?)?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// That of the last address; `InvalidInput` if there was none. If a name must be looked up, those of
    /// [`ToSocketAddrs`], which blocks the whole thread.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and the attempt is given up. The peer may see a connection that ends at
    /// once.
    #[doc(alias = "create_connection")]
    pub fn connect<A: ToSocketAddrs>(address: A) -> io::Result<TcpStream> {
        sockaddr::first(address, |address| TcpStream::connect_within(address, None))
    }

    /// Connects to one address; parks for at most `limit`.
    ///
    /// ```
    /// use greenlet::net::{TcpListener, TcpStream};
    /// use std::time::Duration;
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// TcpStream::connect_timeout(&listener.local_addr()?, Duration::from_secs(60))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `TimedOut`; `InvalidInput` for a limit of zero; those of connect(2).
    ///
    /// # Cancellation
    /// As [`connect`](TcpStream::connect).
    pub fn connect_timeout(address: &SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        TcpStream::connect_within(address, nanoseconds(Some(limit))?)
    }

    fn connect_within(address: &SocketAddr, limit_ns: Option<u64>) -> io::Result<TcpStream> {
        let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let socket = Socket::new(op::socket(family, libc::SOCK_STREAM)?);
        op::connect(&socket.descriptor, &sockaddr::encode(address), limit_ns)?;
        Ok(TcpStream { socket })
    }

    /// Reads what comes next, at most 4,096 bytes, into a buffer of this thread's pool. Parks until there is
    /// something. Empty at the end of the stream.
    ///
    /// A buffer is taken only once bytes have come, so an idle connection needs none. Each thread's pool has 256
    /// of them; when all are in use, the bytes come in newly allocated memory.
    ///
    /// ```
    /// use greenlet::net::{TcpListener, TcpStream};
    /// use std::io::Write;
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// let (server, _) = listener.accept()?;
    /// client.write_all(b"bytes")?;
    /// assert_eq!(&server.read_pooled()?[..], b"bytes");
    /// drop(client);
    /// assert!(server.read_pooled()?.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As reading.
    ///
    /// # Cancellation
    /// As reading: no byte is lost.
    pub fn read_pooled(&self) -> io::Result<PooledBytes> {
        self.socket.recv_pooled()
    }

    /// Reads what comes next, but leaves it there. Parks until there is something.
    ///
    /// ```
    /// use greenlet::net::{TcpListener, TcpStream};
    /// use std::io::{Read, Write};
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// let (mut server, _) = listener.accept()?;
    /// client.write_all(b"x")?;
    /// assert_eq!(server.peek(&mut [0; 9])?, 1);
    /// assert_eq!(server.read(&mut [0; 9])?, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As reading.
    ///
    /// # Cancellation
    /// As reading.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer, libc::MSG_PEEK)
    }

    /// Shuts down one or both directions: the peer sees the end of the stream, and greenlets that wait in this
    /// socket's calls are woken. Returns at once.
    ///
    /// # Errors
    /// Those of shutdown(2).
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        op::shutdown(&self.socket.descriptor, how)
    }

    /// Ends the calls in which other greenlets wait, and closes the connection, unless a
    /// [clone](TcpStream::try_clone) keeps it open. Parks until the kernel has let go of it. A second call does
    /// nothing.
    ///
    /// The others get the error `NotConnected`, or what they had received by then.
    ///
    /// ```
    /// use greenlet::net::{TcpListener, TcpStream};
    /// use std::{io::{ErrorKind, Read}, rc::Rc};
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let stream = Rc::new(TcpStream::connect(listener.local_addr()?)?);
    /// let same = stream.clone();
    /// let reader = greenlet::spawn(move || (&*same).read(&mut [0; 9]));
    /// greenlet::yield_now();
    /// stream.close()?;
    /// assert_eq!(reader.join().unwrap().unwrap_err().kind(), ErrorKind::NotConnected);
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

    /// A second value for the same connection, which another thread may use. It begins with the limits and mode
    /// of this one, and then has its own. Returns at once.
    ///
    /// # Errors
    /// Those of fcntl(2): `EMFILE`.
    #[doc(alias = "dup")]
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        Ok(TcpStream { socket: self.socket.try_clone()? })
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// Those of getpeername(2).
    #[doc(alias = "getpeername")]
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        sockaddr::decode(&self.socket.peer_name()?)
    }

    /// The address of this socket.
    ///
    /// # Errors
    /// Those of getsockname(2).
    #[doc(alias = "getsockname")]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        sockaddr::decode(&self.socket.local_name()?)
    }

    /// Sends small writes at once (`TCP_NODELAY`), instead of waiting for more; as in std, it is off
    /// at first.
    ///
    /// # Errors
    /// Those of setsockopt(2).
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.set_option(libc::IPPROTO_TCP, libc::TCP_NODELAY, i32::from(nodelay))
    }

    /// Whether `TCP_NODELAY` is set.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.socket.option(libc::IPPROTO_TCP, libc::TCP_NODELAY)? != 0)
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

stream!(TcpStream);

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |address: io::Result<SocketAddr>| address.ok().map(|a| a.to_string());
        let (here, peer) = (show(self.local_addr()), show(self.peer_addr()));
        self.socket.show(f, "TcpStream", &[("addr", here), ("peer", peer)])
    }
}
