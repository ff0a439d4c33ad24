//! Servers: what takes connections or datagrams and runs a handler for each. Level 7.
//!
//! Uses `net`, `pool`, `task` and `sync`. A [`StreamServer`] (TCP or UNIX) calls its handler for each
//! connection, a [`DatagramServer`] for each datagram; every call in a greenlet of its own.
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
//! let killed = server.stop(Duration::from_secs(5)); // those who still run may end in this time
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
//!   [`pool`](StreamServerBuilder::pool)) nothing is accepted while all places are taken.
//! - **One client's own**: what goes wrong with one connection (a reset, an error that the handler
//!   returns, its panic) ends nothing else. A panic is reported. What goes wrong with the listener ends
//!   the server, and [`serve_forever`](StreamServer::serve_forever) returns it.
//! - **Handlers outlive the server**: closing or dropping it ends no handler; [`stop`](StreamServer::stop)
//!   does. Each drops, and so closes, its connection at its end.
//!
//! Handlers are `'static`: what they share they hold by `Rc`. To borrow instead, use
//! [`scope`](crate::scope) with a loop over [`incoming`](crate::net::TcpListener::incoming). TLS and other
//! layers are the handler's to put around the stream that it is given.
//!
//! Files: `serving` (what both servers are), `methods` (of both handles), `stream`, `datagram`, `builder`, `ending` (how a handler ends),
//! `convenience` (eventlet's `listen`, `connect`, `serve`).

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
