//! eventlet's way to serve: three functions.

use super::ending::Ending;
use super::stream::{Listener, StreamServer};
use crate::net::{TcpListener, TcpStream};
use std::io;
use std::net::ToSocketAddrs;

/// Binds and listens; the same as [`TcpListener::bind`].
///
/// # Errors
/// Those of [`TcpListener::bind`].
pub fn listen(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    TcpListener::bind(address)
}

/// Connects; the same as [`TcpStream::connect`].
///
/// # Errors
/// Those of [`TcpStream::connect`].
///
/// # Cancellation
/// As [`TcpStream::connect`].
pub fn connect(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
    TcpStream::connect(address)
}

/// Calls the handler for each connection, in a greenlet of its own, at most 1,000 at once. Parks
/// until a handler ends with [`StopServe`](super::StopServe); then the listener is closed, and the
/// other handlers go on.
///
/// Unlike in eventlet, a handler that panics is reported and ends nothing else.
///
/// ```
/// use greenlet::net::TcpStream;
/// use greenlet::server::{self, StopServe};
/// use std::io::Write;
/// let listener = server::listen("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let clients = greenlet::spawn(move || (TcpStream::connect(address), TcpStream::connect(address)));
/// let count = std::cell::Cell::new(0);
/// server::serve(listener, move |mut stream: TcpStream, _| {
///     let _ = stream.write_all(b"hello");
///     count.set(count.get() + 1);
///     if count.get() == 2 { Err(StopServe) } else { Ok(()) }
/// })?;
/// # drop(clients.join());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Those of the listener.
///
/// # Cancellation
/// What arrives inside is raised here; the listener is closed, the handlers go on.
pub fn serve<L: Listener, R: Ending>(
    listener: L,
    handler: impl Fn(L::Stream, L::Address) -> R + 'static,
) -> io::Result<()> {
    serve_at_most(1000, listener, handler)
}

/// As [`serve`], with another limit on how many handlers run at once.
///
/// # Errors
/// As [`serve`].
///
/// # Cancellation
/// As [`serve`].
pub fn serve_at_most<L: Listener, R: Ending>(
    concurrency: usize,
    listener: L,
    handler: impl Fn(L::Stream, L::Address) -> R + 'static,
) -> io::Result<()> {
    let server = StreamServer::builder().concurrency(concurrency).listener(listener, handler)?;
    server.start()?;
    server.core.wait()
}
