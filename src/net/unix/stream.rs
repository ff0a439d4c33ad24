//! A UNIX stream.

use crate::net::limit::limits;
use crate::net::sockaddr;
use crate::net::socket::Socket;
use crate::net::stream::stream;
use crate::net::unix::peer::peer;
use crate::op::{self, PooledBytes};
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// A connection between processes of this machine, with the methods of
/// [`std::os::unix::net::UnixStream`].
///
/// Read and write by [`Read`] and [`Write`], which `&UnixStream` implements too.
///
/// ```
/// use greenlet::net::UnixStream;
/// use std::io::{Read, Write};
/// let (mut a, mut b) = UnixStream::pair()?;
/// let reader = greenlet::spawn(move || {
///     let mut text = String::new();
///     b.read_to_string(&mut text).map(|_| text)
/// });
/// write!(a, "hello")?;
/// drop(a);
/// assert_eq!(reader.join().unwrap()?, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// As those of [`TcpStream`](crate::net::TcpStream).
///
/// # Cancellation
/// As [`TcpStream`](crate::net::TcpStream): a read that is interrupted has taken no bytes, a write has sent
/// none.
pub struct UnixStream {
    pub(in crate::net) socket: Socket,
}

limits!(UnixStream, "let (socket, _peer) = UnixStream::pair()?;");
stream!(UnixStream);
peer!(UnixStream);

impl UnixStream {
    /// Connects to the listener at `path`. Parks while its queue is full.
    ///
    /// ```
    /// use greenlet::net::{UnixListener, UnixStream};
    /// let path = std::env::temp_dir().join(format!("greenlet-connect-{}", std::process::id()));
    /// let listener = UnixListener::bind(&path)?;
    /// let stream = UnixStream::connect(&path)?;
    /// assert_eq!(stream.peer_addr()?.as_pathname(), Some(&*path));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of connect(2); `InvalidInput` for a path that is too long or has a zero in it.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and the attempt is given up.
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`connect`](UnixStream::connect), but also takes abstract names.
    ///
    /// # Errors
    /// Those of connect(2).
    ///
    /// # Cancellation
    /// As [`connect`](UnixStream::connect).
    pub fn connect_addr(address: &SocketAddr) -> io::Result<UnixStream> {
        let socket = Socket::new(op::socket(libc::AF_UNIX, libc::SOCK_STREAM)?);
        op::connect(&socket.descriptor, &sockaddr::encode_unix(address), None)?;
        Ok(UnixStream { socket })
    }

    /// Makes two streams that are connected with each other. Returns at once.
    ///
    /// # Errors
    /// Those of socketpair(2).
    #[doc(alias = "socketpair")]
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let [a, b] = op::pair(libc::AF_UNIX, libc::SOCK_STREAM)?;
        Ok((UnixStream { socket: Socket::new(a) }, UnixStream { socket: Socket::new(b) }))
    }

    /// Reads what comes next into a buffer of this thread's pool: see
    /// [`TcpStream::read_pooled`](crate::net::TcpStream::read_pooled). Parks until there is something.
    ///
    /// # Errors
    /// As reading.
    ///
    /// # Cancellation
    /// As reading: no byte is lost.
    pub fn read_pooled(&self) -> io::Result<PooledBytes> {
        self.socket.recv_pooled()
    }
}
