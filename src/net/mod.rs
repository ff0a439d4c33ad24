//! Sockets with the methods of `std::net` and `std::os::unix::net`, whose calls park the greenlet
//! instead of the thread. Level 6.
//!
//! Uses `op` and `time`, and `task` for [`select()`]. What std has is here under the same name, with the same arguments and
//! results; code that was written for std's sockets runs when its `use` is changed.
//!
//! ```
//! use greenlet::net::{TcpListener, TcpStream};
//! use std::io::{Read, Write};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! greenlet::spawn_detached(move || {
//!     let (mut stream, _) = listener.accept().unwrap();
//!     stream.write_all(b"hello").unwrap();
//! });
//! let mut text = String::new();
//! TcpStream::connect(address)?.read_to_string(&mut text)?;
//! assert_eq!(text, "hello");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! | | connects by | accepts by | datagrams |
//! |---|---|---|---|
//! | TCP, UDP | [`TcpStream`] | [`TcpListener`], [`Incoming`] | [`UdpSocket`] |
//! | UNIX, by [names](UnixSocketAddr) | [`UnixStream`] | [`UnixListener`], [`UnixIncoming`] | [`UnixDatagram`] |
//!
//! Descriptors of somebody else's are waited for by [`readable`] and [`writable`], several of them by
//! [`select()`].
//!
//! ```text
//!   tcp/  udp  unix/     one type each: names, documentation, addresses
//!      │      limit, stream   the methods that several of them have
//!      └────▶ socket          limits, mode, the calls that park  ──▶ op
//!             sockaddr        addresses as the kernel has them
//!             conversion      from and to std's types and descriptors
//!             patience        accepting while something is wanting
//!             readiness, select   descriptors of somebody else's
//! ```
//!
//! # What differs from std
//!
//! - **Names** (`"localhost:80"`) are looked up by std, on this thread: all its greenlets wait
//!   meanwhile. Numeric addresses never wait.
//! - Time limits belong to the Rust value, not to the socket in the kernel, and the error that they end
//!   a call with is always [`TimedOut`](std::io::ErrorKind::TimedOut). So do the modes of
//!   `set_nonblocking`: a call then returns what is there at once, or `WouldBlock`.
//! - All types are [`Send`], none is [`Sync`]: a socket moves to another thread when nobody uses it,
//!   and two threads use `try_clone`.
//! - `close` closes while other greenlets wait.
//! - A stream is read by one greenlet at a time, and written by one; a second is told `ResourceBusy`
//!   instead of being given torn bytes. Reading and writing at once is fine. Any number may accept, or receive
//!   datagrams: first come, first served.
//!
//! # Cancellation
//!
//! Everything here that parks can be ended by a kill, a throw, a [`timeout`](crate::timeout) or a
//! `close`. A call that has brought something by then (bytes, a connection) returns that, and the
//! interrupt is raised at the next one: nothing is lost. `read_exact`, `write_all` and their like are
//! loops over several calls: when one is ended, it is unknown how far it had come.

mod conversion;
mod limit;
mod patience;
mod readiness;
mod select;
mod sockaddr;
mod socket;
mod stream;
mod tcp;
mod udp;
mod unix;

pub(crate) use crate::op::ListenOptions;
pub use crate::op::PooledBytes;
pub(crate) use patience::accept_patiently as patiently;
pub use readiness::{readable, writable};
pub use select::{Selected, select};
pub use tcp::{Incoming, TcpListener, TcpListenerBuilder, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixDatagram, UnixIncoming, UnixListener, UnixSocketAddr, UnixStream};
