//! What can be chosen of a server before it is made.

use super::datagram::{Datagram, DatagramServer, DatagramSocket, Receiving};
use super::ending::Ending;
use super::serving::{Core, Options};
use super::stream::{Listener, Listening, StreamServer};
use crate::net::{ListenOptions, TcpListener, TcpStream};
use crate::net::{UdpSocket, UnixDatagram, UnixListener, UnixSocketAddr, UnixStream};
use crate::pool::Pool;
use crate::worker::{forks, watch_forks};
use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// The file that is the name of a UNIX socket which we have bound; removed when this is dropped, if it
/// is still the same.
pub(super) struct NameFile {
    path: PathBuf,
    /// Device and inode.
    id: Option<(u64, u64)>,
    /// In which process it was bound, which alone takes the name away.
    forks: u32,
}

impl NameFile {
    fn new(path: &Path) -> NameFile {
        watch_forks();
        NameFile { path: path.to_owned(), id: id_of(path), forks: forks() }
    }
}

impl Drop for NameFile {
    fn drop(&mut self) {
        if self.forks == forks() && self.id.is_some() && id_of(&self.path) == self.id {
            // Whoever else has removed it meanwhile wanted the same.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn id_of(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|data| (data.dev(), data.ino()))
}

/// Options for a [`StreamServer`]; made by [`StreamServer::builder`].
///
/// ```
/// use greenlet::{net::TcpStream, server::StreamServer};
/// use std::time::Duration;
/// let server = StreamServer::builder()
///     .concurrency(1000)
///     .backlog(511)
///     .stop_timeout(Duration::from_secs(30))
///     .name("hello")
///     .bind("127.0.0.1:0", |_: TcpStream, _| ())?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder makes nothing until it is bound"]
pub struct StreamServerBuilder {
    options: Options,
    listen: ListenOptions,
}

/// Options for a [`DatagramServer`]; made by [`DatagramServer::builder`].
///
/// ```
/// use greenlet::server::DatagramServer;
/// let server = DatagramServer::builder().concurrency(8).bind("127.0.0.1:0", |_, _, _| ())?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder makes nothing until it is bound"]
pub struct DatagramServerBuilder {
    options: Options,
}

macro_rules! options {
    ($builder:ident) => {
        impl $builder {
            /// How many handlers run at once, at most. While that many run the server takes nothing more, and
            /// the kernel queues what comes. Default: no limit. With 0 nothing is ever taken. Replaces
            /// [`pool`](Self::pool).
            #[doc(alias = "spawn")]
            pub fn concurrency(mut self, handlers: usize) -> $builder {
                self.options.concurrency = handlers;
                self.options.pool = None;
                self
            }

            /// Makes handlers members of `pool`: nothing is taken while it is full, nor while others wait for
            /// a place in it. Other members count, but the server does not stop them. Replaces
            /// [`concurrency`](Self::concurrency).
            pub fn pool(mut self, pool: &Pool) -> $builder {
                self.options.pool = Some(pool.clone());
                self.options.concurrency = usize::MAX;
                self
            }

            /// The name of the server's tasks in reports.
            pub fn name(mut self, name: impl Into<Box<str>>) -> $builder {
                self.options.name = Some(name.into());
                self
            }

            /// Usable stack of each handler, in bytes; see
            /// [`TaskBuilder::stack_size`](crate::TaskBuilder::stack_size).
            pub fn stack_size(mut self, bytes: usize) -> $builder {
                self.options.stack_bytes = Some(bytes);
                self
            }

            /// How long handlers may go on when `serve_forever` ends. Default: a second, as in gevent.
            pub fn stop_timeout(mut self, grace: Duration) -> $builder {
                self.options.grace = grace;
                self
            }

            /// Calls `hook` at each start, before anything is taken, for example to set other socket options. If
            /// it fails, `start` returns its error.
            #[doc(alias = "init_socket")]
            pub fn pre_start(
                mut self,
                hook: impl Fn(BorrowedFd<'_>) -> io::Result<()> + 'static,
            ) -> $builder {
                self.options.pre_start = Some(Rc::new(hook));
                self
            }
        }

        impl fmt::Debug for $builder {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let limit = self.options.concurrency;
                f.debug_struct(stringify!($builder))
                    .field("concurrency", &(limit != usize::MAX).then_some(limit))
                    .field("pool", &self.options.pool)
                    .field("name", &self.options.name)
                    .field("stop_timeout", &self.options.grace)
                    .finish_non_exhaustive()
            }
        }
    };
}

options!(StreamServerBuilder);
options!(DatagramServerBuilder);

impl StreamServerBuilder {
    pub(super) fn new() -> StreamServerBuilder {
        StreamServerBuilder { options: Options::default(), listen: ListenOptions::default() }
    }

    /// How many connections may wait in the kernel's queue; the system's own limit is the sysctl
    /// `net.core.somaxconn`. Default: 128 for TCP, as many as the system allows for UNIX.
    pub fn backlog(mut self, connections: u32) -> StreamServerBuilder {
        self.listen.backlog = Some(connections);
        self
    }

    /// Sets `SO_REUSEADDR`: bind although old connections of this address linger. Default: true.
    pub fn reuse_addr(mut self, reuses: bool) -> StreamServerBuilder {
        self.listen.reuse_addr = reuses;
        self
    }

    /// Sets `SO_REUSEPORT`: several sockets that all set it may listen at one address; the kernel spreads
    /// connections over them. Default: false.
    pub fn reuse_port(mut self, reuses: bool) -> StreamServerBuilder {
        self.listen.reuse_port = reuses;
        self
    }

    /// Of several servers [at one address](StreamServerBuilder::reuse_port), this one gets the connections whose
    /// packets arrive on processor `cpu`: see
    /// [`TcpListenerBuilder::incoming_cpu`](crate::net::TcpListenerBuilder::incoming_cpu).
    pub fn incoming_cpu(mut self, cpu: usize) -> StreamServerBuilder {
        self.listen.incoming_cpu = Some(cpu);
        self
    }

    /// See [`StreamServer::bind`].
    ///
    /// # Errors
    /// Those of [`TcpListener::bind`].
    pub fn bind<R: Ending>(
        self,
        address: impl ToSocketAddrs,
        handler: impl Fn(TcpStream, SocketAddr) -> R + 'static,
    ) -> io::Result<StreamServer> {
        let StreamServerBuilder { options, listen } = self;
        let listener = TcpListener::bind_with(address, listen)?;
        let here = listener.local_addr()?;
        let again = move || {
            let listener = TcpListener::bind_with(here, listen)?;
            Ok(Listening { listener, _file: None })
        };
        let first = Listening { listener, _file: None };
        Ok(serve(first, here, Some(Box::new(again)), options, handler))
    }

    /// See [`StreamServer::bind_unix`].
    ///
    /// # Errors
    /// Those of [`UnixListener::bind`].
    pub fn bind_unix<R: Ending>(
        self,
        path: impl AsRef<Path>,
        handler: impl Fn(UnixStream, UnixSocketAddr) -> R + 'static,
    ) -> io::Result<StreamServer<UnixListener>> {
        let StreamServerBuilder { options, listen } = self;
        let (path, here) = (path.as_ref().to_owned(), UnixSocketAddr::from_pathname(&path)?);
        let name = here.clone();
        let bind = move || {
            let listener = UnixListener::bind_with(&name, listen)?;
            Ok(Listening { listener, _file: Some(NameFile::new(&path)) })
        };
        Ok(serve(bind()?, here, Some(Box::new(bind)), options, handler))
    }

    /// See [`StreamServer::new`]. The backlog and socket options of this builder have no effect.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn listener<L: Listener, R: Ending>(
        self,
        listener: L,
        handler: impl Fn(L::Stream, L::Address) -> R + 'static,
    ) -> io::Result<StreamServer<L>> {
        let here = listener.here()?;
        Ok(serve(Listening { listener, _file: None }, here, None, self.options, handler))
    }
}

type Again<S> = Option<Box<dyn Fn() -> io::Result<S>>>;

fn serve<L: Listener, R: Ending>(
    first: Listening<L>,
    address: L::Address,
    again: Again<Listening<L>>,
    options: Options,
    handler: impl Fn(L::Stream, L::Address) -> R + 'static,
) -> StreamServer<L> {
    let handler = move |(stream, peer)| handler(stream, peer).stops();
    StreamServer { core: Core::new(first, again, options, handler), address }
}

impl DatagramServerBuilder {
    pub(super) fn new() -> DatagramServerBuilder {
        DatagramServerBuilder { options: Options { most_bytes: 65_536, ..Options::default() } }
    }

    /// The longest datagram, in bytes; longer ones are cut off. Default: 65,536, more than any UDP datagram; those
    /// of UNIX sockets may be longer. `start` allocates a buffer of this size, and fails if it cannot.
    pub fn max_datagram(mut self, bytes: usize) -> DatagramServerBuilder {
        self.options.most_bytes = bytes;
        self
    }

    /// See [`DatagramServer::bind`].
    ///
    /// # Errors
    /// Those of [`UdpSocket::bind`].
    pub fn bind<R: Ending>(
        self,
        address: impl ToSocketAddrs,
        handler: impl Fn(&[u8], SocketAddr, &UdpSocket) -> R + 'static,
    ) -> io::Result<DatagramServer> {
        let socket = UdpSocket::bind(address)?;
        let here = socket.local_addr()?;
        let again = move || Ok(Receiving { socket: UdpSocket::bind(here)?, _file: None });
        let first = Receiving { socket, _file: None };
        Ok(receive(first, here, Some(Box::new(again)), self.options, handler))
    }

    /// See [`DatagramServer::bind_unix`].
    ///
    /// # Errors
    /// Those of [`UnixDatagram::bind`].
    pub fn bind_unix<R: Ending>(
        self,
        path: impl AsRef<Path>,
        handler: impl Fn(&[u8], UnixSocketAddr, &UnixDatagram) -> R + 'static,
    ) -> io::Result<DatagramServer<UnixDatagram>> {
        let (path, here) = (path.as_ref().to_owned(), UnixSocketAddr::from_pathname(&path)?);
        let bind = move || {
            let socket = UnixDatagram::bind(&path)?;
            Ok(Receiving { socket, _file: Some(NameFile::new(&path)) })
        };
        Ok(receive(bind()?, here, Some(Box::new(bind)), self.options, handler))
    }

    /// See [`DatagramServer::new`].
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn socket<S: DatagramSocket, R: Ending>(
        self,
        socket: S,
        handler: impl Fn(&[u8], S::Address, &S) -> R + 'static,
    ) -> io::Result<DatagramServer<S>> {
        let here = socket.here()?;
        Ok(receive(Receiving { socket, _file: None }, here, None, self.options, handler))
    }
}

fn receive<S: DatagramSocket, R: Ending>(
    first: Receiving<S>,
    address: S::Address,
    again: Again<Receiving<S>>,
    options: Options,
    handler: impl Fn(&[u8], S::Address, &S) -> R + 'static,
) -> DatagramServer<S> {
    let handler =
        move |Datagram { bytes, from, by }: Datagram<S>| handler(&bytes, from, &by.socket).stops();
    DatagramServer { core: Core::new(first, again, options, handler), address }
}
