//! What can be chosen before a socket listens.

use super::TcpListener;
use crate::op::ListenOptions;
use std::io;
use std::net::ToSocketAddrs;

/// Options for a [`TcpListener`]; made by [`TcpListener::builder`].
///
/// ```
/// use greenlet::net::TcpListener;
/// // Two on one port: the kernel spreads connections over them.
/// let one = TcpListener::builder().reuse_port(true).bind("127.0.0.1:0")?;
/// let two = TcpListener::builder().reuse_port(true).bind(one.local_addr()?)?;
/// assert_eq!(one.local_addr()?, two.local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing listens until `bind`"]
pub struct TcpListenerBuilder(ListenOptions);

impl TcpListenerBuilder {
    pub(super) fn new() -> TcpListenerBuilder {
        TcpListenerBuilder(ListenOptions::default())
    }

    /// How many connections may wait to be accepted. Default: 128; the system has a limit of its own,
    /// the sysctl `net.core.somaxconn`.
    pub fn backlog(mut self, connections: u32) -> TcpListenerBuilder {
        self.0.backlog = Some(connections);
        self
    }

    /// Sets `SO_REUSEADDR`: bind although old connections of this address linger. Default: true.
    pub fn reuse_addr(mut self, reuses: bool) -> TcpListenerBuilder {
        self.0.reuse_addr = reuses;
        self
    }

    /// Sets `SO_REUSEPORT`: several sockets that all set it may listen at one address; the kernel spreads
    /// connections over them, by a hash of both addresses. Default: false.
    pub fn reuse_port(mut self, reuses: bool) -> TcpListenerBuilder {
        self.0.reuse_port = reuses;
        self
    }

    /// Sets `SO_INCOMING_CPU`: of several listeners [at one address](TcpListenerBuilder::reuse_port), this one gets
    /// the connections whose packets arrive on processor `cpu`. Default: not set.
    ///
    /// Without it the listener is chosen by a hash of the addresses, and a connection may keep two processors
    /// busy. If the kernel does not know the option, this does nothing.
    ///
    /// Source: socket(7); among those that share a port since Linux 6.2.
    pub fn incoming_cpu(mut self, cpu: usize) -> TcpListenerBuilder {
        self.0.incoming_cpu = Some(cpu);
        self
    }

    /// Binds and listens; as [`TcpListener::bind`].
    ///
    /// # Errors
    /// As [`TcpListener::bind`], and those of the options.
    pub fn bind<A: ToSocketAddrs>(self, address: A) -> io::Result<TcpListener> {
        TcpListener::bind_with(address, self.0)
    }
}
