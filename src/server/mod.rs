//! Servers that call a handler for each connection or datagram.
//!
//! A [`StreamServer`] (TCP or UNIX) calls its handler for each connection, a [`DatagramServer`] for each
//! datagram; every call runs in a greenlet of its own.
//!
//! ```
//! use greenlet::net::TcpStream;
//! use greenlet::server::StreamServer;
//! use std::io::{Read, Write};
//! use std::time::Duration;
//!
//! let server = StreamServer::bind("127.0.0.1:0", |mut stream: TcpStream, peer| {
//!     write!(stream, "you are {peer}")
//! })?;
//! server.start()?; // or `serve_forever`, which returns when it has been stopped
//!
//! let mut client = TcpStream::connect(server.local_addr())?;
//! let mut text = String::new();
//! client.read_to_string(&mut text)?;
//! assert_eq!(text, format!("you are {}", client.local_addr()?));
//!
//! let killed = server.stop(Duration::from_secs(60)); // handlers that still run may end in this time
//! assert_eq!(killed, 0);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! ```text
//!   builder ─▶ bind ─▶ start ─▶ accepting ──▶ handler, handler, ..    in tasks
//!                        ▲          │ all places taken: the kernel's queue holds the others
//!                        │          │ no descriptor left: waits and tries again
//!                        └─ closed ◀┴─ close, stop(grace), StopServe, drop
//! ```
//!
//! - **A place, then a connection**: with a limit ([`concurrency`](StreamServerBuilder::concurrency),
//!   [`pool`](StreamServerBuilder::pool)) nothing is accepted while all places are taken. If other members of the
//!   pool take the last place while the server waits for a connection, the handler of that connection waits for a
//!   place before it begins.
//! - **One client's own**: what goes wrong with one connection (a reset, an error that the handler
//!   returns, a panic) does not affect the others. A panic is reported. An error of the listener ends
//!   the server, and [`serve_forever`](StreamServer::serve_forever) returns it.
//! - **Handlers outlive the server**: closing or dropping the server ends no handler; [`stop`](StreamServer::stop)
//!   does. A handler that ends drops, and so closes, its connection.
//!
//! Handlers are `'static`, and share things by `Rc`. To borrow instead, use [`scope`](crate::scope) with a loop over
//! [`incoming`](crate::net::TcpListener::incoming). For TLS and other layers, the handler wraps the stream that it
//! gets.
//!
//! Inside: level 7, uses `net`, `pool`, `task` and `sync`. Files: `serving` (what both servers are), `methods` (of
//! both handles), `stream`, `datagram`, `builder`, `ending` (how a handler ends), `convenience` (eventlet's
//! `listen`, `connect`, `serve`).

mod builder;
mod convenience;
mod datagram;
mod ending;
mod methods;
mod serving;
mod stream;

pub use builder::{DatagramServerBuilder, StreamServerBuilder};
pub use convenience::{connect, listen, serve, serve_at_most};
pub use datagram::{DatagramServer, DatagramSocket};
pub use ending::{Ending, StopServe};
pub use stream::{Listener, StreamServer};
