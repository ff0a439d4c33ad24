//! Sockets with the methods of `std::net`, whose calls park the greenlet instead of the thread. Level 6.
//!
//! Uses `op`.

mod sockaddr;
mod tcp;

pub use crate::op::PooledBytes;
pub use tcp::{TcpListener, TcpStream};
