//! Servers of datagrams.

use super::builder::DatagramServerBuilder;
use super::ending::Ending;
use super::serving::{Core, Service};
use crate::net::{UdpSocket, UnixDatagram, UnixSocketAddr, patiently};
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// What a [`DatagramServer`] can receive from: a [`UdpSocket`] or a [`UnixDatagram`].
///
/// Only this crate implements it.
pub trait DatagramSocket: AsFd + sealed::Sealed + Sized + 'static {
    /// The type of senders' addresses.
    type Address: Clone + fmt::Debug + 'static;

    #[doc(hidden)]
    fn take(&self, buffer: &mut [u8]) -> io::Result<(usize, Self::Address)>;
    #[doc(hidden)]
    fn here(&self) -> io::Result<Self::Address>;
    #[doc(hidden)]
    fn shut(&self);
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! socket {
    ($socket:ty, $address:ty) => {
        impl sealed::Sealed for $socket {}
        impl DatagramSocket for $socket {
            type Address = $address;

            fn take(&self, buffer: &mut [u8]) -> io::Result<(usize, $address)> {
                patiently(|| self.recv_from(buffer))
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

socket!(UdpSocket, SocketAddr);
socket!(UnixDatagram, UnixSocketAddr);

/// A socket, and the file that goes with it.
pub(super) struct Receiving<S> {
    pub(super) socket: S,
    pub(super) _file: Option<super::builder::NameFile>,
}

impl<S: AsFd> AsFd for Receiving<S> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A datagram, from where it comes, and the socket to answer by.
pub(super) struct Datagram<S: DatagramSocket> {
    pub(super) bytes: Vec<u8>,
    pub(super) from: S::Address,
    pub(super) by: Rc<Receiving<S>>,
}

impl<S: DatagramSocket> Service for Receiving<S> {
    type Item = Datagram<S>;

    fn take(this: &Rc<Self>, scratch: &mut [u8]) -> io::Result<Datagram<S>> {
        let (length, from) = this.socket.take(scratch)?;
        Ok(Datagram { bytes: scratch[..length].to_vec(), from, by: this.clone() })
    }

    /// Those who handle answer by it: the last of them closes it.
    fn shut(&self) {}

    fn close(&self) {
        self.socket.shut();
    }
}

/// Calls a handler for each datagram, in a greenlet of its own: with its bytes, the address of its sender,
/// and the socket to answer by. See the [module](super).
///
/// ```
/// use greenlet::net::UdpSocket;
/// use greenlet::server::DatagramServer;
///
/// let server = DatagramServer::bind("127.0.0.1:0", |bytes, from, socket| {
///     socket.send_to(&bytes.to_ascii_uppercase(), from).map(drop)
/// })?;
/// server.start()?;
/// let client = UdpSocket::bind("127.0.0.1:0")?;
/// client.send_to(b"hello", server.local_addr())?;
/// let mut answer = [0; 9];
/// let (length, _) = client.recv_from(&mut answer)?;
/// assert_eq!(&answer[..length], b"HELLO");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// While the limit is reached, the kernel keeps as many datagrams as the socket's buffer holds, and drops the
/// others. The socket is closed once the server is closed and the last handler that has it has ended.
pub struct DatagramServer<S: DatagramSocket = UdpSocket> {
    pub(super) core: Rc<Core<Receiving<S>>>,
    pub(super) address: S::Address,
}

impl DatagramServer<UdpSocket> {
    /// Binds, as [`UdpSocket::bind`] does; nothing is received yet.
    ///
    /// # Errors
    /// Those of [`UdpSocket::bind`].
    pub fn bind<R: Ending>(
        address: impl ToSocketAddrs,
        handler: impl Fn(&[u8], SocketAddr, &UdpSocket) -> R + 'static,
    ) -> io::Result<DatagramServer> {
        DatagramServerBuilder::new().bind(address, handler)
    }

    /// Options, for servers of any kind of datagrams.
    pub fn builder() -> DatagramServerBuilder {
        DatagramServerBuilder::new()
    }
}

impl DatagramServer<UnixDatagram> {
    /// Binds to a path, at which a socket file is made; nothing is received yet. The file is removed with
    /// the socket, if it is still the same file.
    ///
    /// # Errors
    /// Those of [`UnixDatagram::bind`].
    pub fn bind_unix<R: Ending>(
        path: impl AsRef<Path>,
        handler: impl Fn(&[u8], UnixSocketAddr, &UnixDatagram) -> R + 'static,
    ) -> io::Result<DatagramServer<UnixDatagram>> {
        DatagramServerBuilder::new().bind_unix(path, handler)
    }
}

impl<S: DatagramSocket> DatagramServer<S> {
    /// Serves a socket that was bound elsewhere. Once closed, it cannot be started again.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn new<R: Ending>(
        socket: S,
        handler: impl Fn(&[u8], S::Address, &S) -> R + 'static,
    ) -> io::Result<DatagramServer<S>> {
        DatagramServerBuilder::new().socket(socket, handler)
    }

    /// The address that it is bound to, or was bound to before it was closed. If it was bound to port 0, this has
    /// the port that it got.
    #[doc(alias("server_port", "server_host", "address"))]
    pub fn local_addr(&self) -> S::Address {
        self.address.clone()
    }

    /// Calls `f` with the socket, for example to read or set its options. Returns `None` if the server is closed.
    #[doc(alias = "socket")]
    pub fn with_socket<R>(&self, f: impl FnOnce(&S) -> R) -> Option<R> {
        self.core.socket().map(|receiving| f(&receiving.socket))
    }
}

super::methods::methods!(DatagramServer<S: DatagramSocket>, "datagram", "receiving");

impl<S: DatagramSocket> fmt::Debug for DatagramServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramServer")
            .field("address", &self.address)
            .field("is_started", &self.is_started())
            .field("running", &self.running())
            .finish_non_exhaustive()
    }
}
