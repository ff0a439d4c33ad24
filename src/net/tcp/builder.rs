//! What can be chosen before a socket listens.

use super::TcpListener;
use crate::op::ListenOptions;
use std::io;
use std::net::ToSocketAddrs;

/// Options of a [`TcpListener`] that is not bound yet; made by [`TcpListener::builder`].
///
/// ```
/// use greenlet::net::TcpListener;
/// // Two on one port: the kernel shares connections out between them.
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

    /// May it be bound while connections of an earlier one at the same address are still being wound up
    /// (`SO_REUSEADDR`)? Default: yes.
    pub fn reuse_addr(mut self, reuses: bool) -> TcpListenerBuilder {
        self.0.reuse_addr = reuses;
        self
    }

    /// May others that say so, too, listen at the same address (`SO_REUSEPORT`)? The kernel shares
    /// connections out between them, by a hash of both addresses. Default: no.
    pub fn reuse_port(mut self, reuses: bool) -> TcpListenerBuilder {
        self.0.reuse_port = reuses;
        self
    }

    /// Of those that share an address, this one takes what comes in on that processor
    /// (`SO_INCOMING_CPU`), so that a connection stays where its packets are handled. Default: any.
    ///
    /// Otherwise they are chosen by a hash of the addresses, and a connection may be handled on two
    /// processors, which costs both. Where the option is unknown this does nothing.
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
    pub fn bind<A: ToSocketAddrs>(&self, address: A) -> io::Result<TcpListener> {
        TcpListener::bind_with(address, self.0)
    }
}
