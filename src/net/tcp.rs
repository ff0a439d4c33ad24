//! TCP.

use super::sockaddr;
use crate::op::{self, Descriptor, Direction, PooledBytes};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;

/// A TCP connection.
#[derive(Debug)]
pub struct TcpStream {
    descriptor: Descriptor,
}

/// A TCP socket that connections come to.
#[derive(Debug)]
pub struct TcpListener {
    descriptor: Descriptor,
}

impl TcpListener {
    /// Binds and listens.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        let listener = std::net::TcpListener::bind(address)?;
        Ok(TcpListener { descriptor: Descriptor::adopt(OwnedFd::from(listener))? })
    }

    /// Parks until there is a connection.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (fd, address, length) = op::accept(&self.descriptor, None)?;
        let stream = TcpStream { descriptor: Descriptor::adopt_as_is(fd) };
        Ok((stream, sockaddr::decode(&address, length)?))
    }
}

impl TcpStream {
    /// Connects.
    pub fn connect(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let _ = address;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Receives into a buffer of the hub's pool; `None` if all are in use.
    pub fn read_pooled(&self) -> io::Result<Option<PooledBytes>> {
        op::recv_pooled(&self.descriptor, None)
    }
}

impl Read for &TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        op::recv(&self.descriptor, Direction::Read, buffer, 0, None)
    }
}

impl Write for &TcpStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        op::send(&self.descriptor, Direction::Write, buffer, 0, None)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
