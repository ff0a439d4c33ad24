//! TCP: connections, and what accepts them.

mod builder;
mod listener;
mod stream;

pub use builder::TcpListenerBuilder;
pub use listener::{Incoming, TcpListener};
pub use stream::TcpStream;
