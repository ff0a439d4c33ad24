//! Sockets with the methods of `std::net` and `std::os::unix::net`, whose calls park the greenlet
//! instead of blocking the thread.
//!
//! What std has is here under the same name, with the same arguments and results: in code that was written for
//! std's sockets, only the `use` has to be changed.
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
//! | | connections | what accepts them | datagrams |
//! |---|---|---|---|
//! | TCP, UDP | [`TcpStream`] | [`TcpListener`], [`Incoming`] | [`UdpSocket`] |
//! | UNIX, by [names](UnixSocketAddr) | [`UnixStream`] | [`UnixListener`], [`UnixIncoming`] | [`UnixDatagram`] |
//!
//! To wait for other descriptors (pipes, those of C libraries) there are [`readable`] and [`writable`]; for
//! several at once, [`select()`].
//!
//! # What differs from std
//!
//! - **Names** (`"localhost:80"`) are looked up by std, on this thread: all its greenlets wait
//!   meanwhile. Numeric addresses need no look-up. To look a name up on another thread, see
//!   [`offload`](crate::offload()).
//! - Time limits and `set_nonblocking` belong to the Rust value, not to the kernel's socket. A limit ends a call
//!   with [`TimedOut`](std::io::ErrorKind::TimedOut); in non-blocking mode a call returns what is there, or
//!   `WouldBlock`.
//! - All types are [`Send`], none is [`Sync`]: a socket can move to another thread while no call uses it. To use
//!   it on two threads, `try_clone` it.
//! - `close` works while other greenlets wait in calls. A descriptor that was borrowed by `as_fd` is then closed
//!   too, and its number may soon name another file: do not close a socket while its descriptor is borrowed.
//! - One greenlet at a time may read a stream, and one may write it; a second one gets the error `ResourceBusy`,
//!   so that bytes are never mixed up. One may read while another writes. Any number may accept, or receive
//!   datagrams: first come, first served.
//!
//! # Cancellation
//!
//! Everything here that parks can be ended by a kill, a throw, a [`timeout`](crate::timeout) or a
//! `close`. A call that has brought something by then (bytes, a connection) returns that, and the
//! interrupt is raised at the next one: nothing is lost. `read_exact`, `write_all` and the like are
//! loops over several calls: if one of those is interrupted, you cannot know how many bytes were transferred.
//!
//! # Inside
//!
//! Level 6; uses `op` and `time`, and `task` for [`select()`].
//!
//! ```text
//!   tcp/  udp  unix/     one type each: names, documentation, addresses
//!      │      limit, stream   the methods that several of them have
//!      └────▶ socket          limits, mode, the calls that park  ──▶ op
//!             sockaddr        addresses as the kernel has them
//!             conversion      from and to std's types and descriptors
//!             patience        accepting while descriptors or memory are short
//!             readiness, select   other descriptors
//! ```

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
