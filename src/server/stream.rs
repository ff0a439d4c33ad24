//! Servers of connections.

use super::builder::StreamServerBuilder;
use super::ending::Ending;
use super::serving::{Core, Service};
use crate::net::{TcpListener, TcpStream, UnixListener, UnixSocketAddr, UnixStream, patiently};
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// What a [`StreamServer`] can listen at: a [`TcpListener`] or a [`UnixListener`].
///
/// Only this crate implements it.
pub trait Listener: AsFd + sealed::Sealed + Sized + 'static {
    /// The type of connections, which a handler gets.
    type Stream: 'static;
    /// The type of peers' addresses.
    type Address: Clone + fmt::Debug + 'static;

    #[doc(hidden)]
    fn take(&self) -> io::Result<(Self::Stream, Self::Address)>;
    #[doc(hidden)]
    fn here(&self) -> io::Result<Self::Address>;
    #[doc(hidden)]
    fn shut(&self);
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! listener {
    ($listener:ty, $stream:ty, $address:ty) => {
        impl sealed::Sealed for $listener {}
        impl Listener for $listener {
            type Stream = $stream;
            type Address = $address;

            fn take(&self) -> io::Result<($stream, $address)> {
                // Not by `incoming`: what was accepted ahead of its place would count against the limit, and
                // be closed by a stop.
                patiently(|| self.accept())
            }

            fn here(&self) -> io::Result<$address> {
                self.local_addr()
            }

            fn shut(&self) {
                // It is closed all the same; what close(2) says then is nobody's.
                let _ = self.close();
            }
        }
    };
}

listener!(TcpListener, TcpStream, SocketAddr);
listener!(UnixListener, UnixStream, UnixSocketAddr);

/// A listener, and the file that goes with it.
pub(super) struct Listening<L> {
    pub(super) listener: L,
    pub(super) _file: Option<super::builder::NameFile>,
}

impl<L: AsFd> AsFd for Listening<L> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl<L: Listener> Service for Listening<L> {
    type Item = (L::Stream, L::Address);

    fn take(this: &Rc<Self>, _scratch: &mut [u8]) -> io::Result<Self::Item> {
        this.listener.take()
    }

    fn shut(&self) {
        self.listener.shut();
    }

    fn close(&self) {
        self.listener.shut();
    }
}

/// Calls a handler for each connection, in a greenlet of its own; see the [module](super).
///
/// ```
/// use greenlet::net::{TcpStream, UnixStream};
/// use greenlet::server::StreamServer;
/// use std::io::{Read, Write};
///
/// let echo = |mut stream: TcpStream, _| -> std::io::Result<()> {
///     let mut buffer = [0; 1024];
///     loop {
///         match stream.read(&mut buffer)? {
///             0 => return Ok(()),
///             read => stream.write_all(&buffer[..read])?,
///         }
///     }
/// };
/// let server = StreamServer::builder().concurrency(100).bind("127.0.0.1:0", echo)?;
/// server.start()?;
/// let mut client = TcpStream::connect(server.local_addr())?;
/// client.write_all(b"again")?;
/// let mut answer = [0; 5];
/// client.read_exact(&mut answer)?;
/// assert_eq!(&answer, b"again");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A connection that comes before [`start`](StreamServer::start) waits in the kernel's queue. When the
/// server is dropped it is [closed](StreamServer::close).
pub struct StreamServer<L: Listener = TcpListener> {
    pub(super) core: Rc<Core<Listening<L>>>,
    pub(super) address: L::Address,
}

impl StreamServer<TcpListener> {
    /// Binds and listens, as [`TcpListener::bind`] does; nothing is accepted yet.
    ///
    /// # Errors
    /// Those of [`TcpListener::bind`].
    pub fn bind<R: Ending>(
        address: impl ToSocketAddrs,
        handler: impl Fn(TcpStream, SocketAddr) -> R + 'static,
    ) -> io::Result<StreamServer> {
        StreamServerBuilder::new().bind(address, handler)
    }

    /// Options, for servers of any kind of stream.
    pub fn builder() -> StreamServerBuilder {
        StreamServerBuilder::new()
    }
}

impl StreamServer<UnixListener> {
    /// Binds to a path, at which a socket file is made, and listens; nothing is accepted yet. When the
    /// server is closed or dropped the file is removed, if it is still the same file (not in the child of a fork).
    ///
    /// ```
    /// use greenlet::{net::UnixStream, server::StreamServer};
    /// let path = std::env::temp_dir().join(format!("greenlet-{}", std::process::id()));
    /// let server = StreamServer::bind_unix(&path, |_: UnixStream, _| ())?;
    /// assert!(path.exists());
    /// drop(server);
    /// assert!(!path.exists());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`UnixListener::bind`].
    pub fn bind_unix<R: Ending>(
        path: impl AsRef<Path>,
        handler: impl Fn(UnixStream, UnixSocketAddr) -> R + 'static,
    ) -> io::Result<StreamServer<UnixListener>> {
        StreamServerBuilder::new().bind_unix(path, handler)
    }
}

impl<L: Listener> StreamServer<L> {
    /// Serves a listener that was bound elsewhere. Once closed, it cannot be started again.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn new<R: Ending>(
        listener: L,
        handler: impl Fn(L::Stream, L::Address) -> R + 'static,
    ) -> io::Result<StreamServer<L>> {
        StreamServerBuilder::new().listener(listener, handler)
    }

    /// The address that it listens at, or listened at before it was closed. If it was bound to port 0, this has
    /// the port that it got.
    #[doc(alias("server_port", "server_host", "address"))]
    pub fn local_addr(&self) -> L::Address {
        self.address.clone()
    }

    /// Calls `f` with the listener, for example to read or set its options. Returns `None` if the server is closed.
    ///
    /// ```
    /// use greenlet::{net::TcpStream, server::StreamServer};
    /// use std::os::fd::AsRawFd;
    /// let server = StreamServer::bind("127.0.0.1:0", |_: TcpStream, _| ())?;
    /// assert!(server.with_listener(|listener| listener.as_raw_fd()).is_some());
    /// server.close();
    /// assert!(server.with_listener(|_| ()).is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "socket")]
    pub fn with_listener<R>(&self, f: impl FnOnce(&L) -> R) -> Option<R> {
        self.core.socket().map(|listening| f(&listening.listener))
    }
}

super::methods::methods!(StreamServer<L: Listener>, "connection", "accepting");

impl<L: Listener> fmt::Debug for StreamServer<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamServer")
            .field("address", &self.address)
            .field("is_started", &self.is_started())
            .field("running", &self.running())
            .finish_non_exhaustive()
    }
}
