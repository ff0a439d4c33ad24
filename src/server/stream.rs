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
    /// What a handler gets.
    type Stream: 'static;
    /// From where it comes.
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

    /// What can be chosen before; a builder for servers of any kind of stream.
    pub fn builder() -> StreamServerBuilder {
        StreamServerBuilder::new()
    }
}

impl StreamServer<UnixListener> {
    /// Binds to a file of that name, which is made, and listens; nothing is accepted yet. When the
    /// server is closed or dropped the file is removed, if it is still the same (not in the child of a fork).
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
    /// Serves at a listener that was bound elsewhere. Once closed it cannot be started again.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn new<R: Ending>(
        listener: L,
        handler: impl Fn(L::Stream, L::Address) -> R + 'static,
    ) -> io::Result<StreamServer<L>> {
        StreamServerBuilder::new().listener(listener, handler)
    }

    /// The address that it listens at, or listened at before it was closed: with the port that it got
    /// where 0 was asked for.
    #[doc(alias("server_port", "server_host", "address"))]
    pub fn local_addr(&self) -> L::Address {
        self.address.clone()
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
