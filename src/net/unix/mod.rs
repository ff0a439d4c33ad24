//! UNIX sockets: streams, what accepts them, and datagrams. Addresses are std's, abstract ones among
//! them.

mod datagram;
mod listener;
mod peer;
mod stream;

pub use datagram::UnixDatagram;
pub use listener::{UnixIncoming, UnixListener};
pub use std::os::unix::net::SocketAddr as UnixSocketAddr;
pub use stream::UnixStream;
