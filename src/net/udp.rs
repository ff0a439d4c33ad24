//! UDP.

use super::limit::limits;
use super::sockaddr;
use super::socket::Socket;
use crate::op;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// A UDP socket, with the methods of [`std::net::UdpSocket`].
///
/// Any number of greenlets may send and receive. Each datagram goes to one of those that receive, first
/// come, first served.
///
/// ```
/// use greenlet::net::UdpSocket;
/// let (a, b) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
/// let address = b.local_addr()?;
/// let echo = greenlet::spawn(move || {
///     let mut buffer = [0; 64];
///     let (length, from) = b.recv_from(&mut buffer).unwrap();
///     b.send_to(&buffer[..length], from).unwrap();
/// });
/// a.send_to(b"ping", address)?;
/// let mut buffer = [0; 64];
/// assert_eq!(a.recv_from(&mut buffer)?, (4, address));
/// # echo.join().unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Sending and receiving give those of the system calls; `TimedOut` after a
/// [limit](UdpSocket::set_read_timeout); `NotConnected` after [`close`](UdpSocket::close).
///
/// # Cancellation
/// A call that is interrupted has neither taken nor sent a datagram. If one was transferred already the call
/// returns it, and the interrupt is raised at the next one.
pub struct UdpSocket {
    pub(super) socket: Socket,
}

limits!(UdpSocket, "let socket = UdpSocket::bind(\"127.0.0.1:0\")?;");

impl UdpSocket {
    /// Binds to the first of the addresses that can be bound. Returns at once, unless a name must be looked up.
    ///
    /// ```
    /// let socket = greenlet::net::UdpSocket::bind("127.0.0.1:0")?; // any free port
    /// assert_ne!(socket.local_addr()?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of socket(2) and bind(2). If a name must be looked up, those of [`ToSocketAddrs`], which blocks the
    /// whole thread.
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<UdpSocket> {
        let bind = |address: &SocketAddr| op::bound(&sockaddr::encode(address), libc::SOCK_DGRAM);
        Ok(UdpSocket { socket: Socket::new(sockaddr::first(address, bind)?) })
    }

    /// Receives a datagram; returns its length and its sender. Bytes that do not fit are lost. Parks until there
    /// is one.
    ///
    /// # Errors
    /// As the [type](UdpSocket) says.
    ///
    /// # Cancellation
    /// As the [type](UdpSocket) says.
    #[doc(alias = "recvfrom")]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, address) = self.socket.recv_from(buffer, 0)?;
        Ok((length, sockaddr::decode(&address)?))
    }

    /// As [`recv_from`](UdpSocket::recv_from), but leaves the datagram there.
    ///
    /// # Errors
    /// As the [type](UdpSocket) says.
    ///
    /// # Cancellation
    /// As the [type](UdpSocket) says.
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, address) = self.socket.recv_from(buffer, libc::MSG_PEEK)?;
        Ok((length, sockaddr::decode(&address)?))
    }

    /// Sends a datagram to the first of the addresses. Parks while the socket has no room for it.
    ///
    /// # Errors
    /// As the [type](UdpSocket) says; `InvalidInput` if there is no address.
    ///
    /// # Cancellation
    /// As the [type](UdpSocket) says.
    #[doc(alias = "sendto")]
    pub fn send_to<A: ToSocketAddrs>(&self, buffer: &[u8], address: A) -> io::Result<usize> {
        match address.to_socket_addrs()?.next() {
            Some(address) => self.socket.send_datagram(buffer, Some(&sockaddr::encode(&address))),
            None => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to"))
            }
        }
    }

    /// Chooses the peer: only its datagrams are received, and [`send`](UdpSocket::send) sends to it.
    /// Of several addresses, takes the first that works. Returns at once, unless a name must be looked up.
    ///
    /// ```
    /// use greenlet::net::UdpSocket;
    /// let (a, b) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// a.connect(b.local_addr()?)?;
    /// b.connect(a.local_addr()?)?;
    /// a.send(b"datagram")?;
    /// let mut buffer = [0; 64];
    /// assert_eq!(b.recv(&mut buffer)?, 8);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of connect(2); those of [`ToSocketAddrs`].
    pub fn connect<A: ToSocketAddrs>(&self, address: A) -> io::Result<()> {
        let associate = |address: &SocketAddr| {
            op::associate(&self.socket.descriptor, &sockaddr::encode(address))
        };
        sockaddr::first(address, associate)
    }

    /// Receives a datagram from the peer; bytes that do not fit are lost. Parks until there is one.
    ///
    /// # Errors
    /// As the [type](UdpSocket) says; `ConnectionRefused` if nothing listened for an earlier datagram.
    ///
    /// # Cancellation
    /// As the [type](UdpSocket) says.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv_datagram(buffer, 0)
    }

    /// As [`recv`](UdpSocket::recv), but leaves the datagram there.
    ///
    /// # Errors
    /// As the [type](UdpSocket) says.
    ///
    /// # Cancellation
    /// As the [type](UdpSocket) says.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv_datagram(buffer, libc::MSG_PEEK)
    }

    /// Sends a datagram to the peer. Parks while the socket has no room for it.
    ///
    /// # Errors
    /// As the [type](UdpSocket) says.
    ///
    /// # Cancellation
    /// As the [type](UdpSocket) says.
    pub fn send(&self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.send_datagram(buffer, None)
    }

    /// Ends the calls in which other greenlets wait, and closes the socket. Parks until the kernel has let go of
    /// it. A second call does nothing.
    ///
    /// The others get the error `NotConnected`, or what they had received by then.
    ///
    /// # Errors
    /// Those of close(2); it is closed nevertheless.
    ///
    /// # Cancellation
    /// This is not interrupted, as it waits only for the kernel.
    pub fn close(&self) -> io::Result<()> {
        self.socket.close()
    }

    /// A second value for the same socket, which another thread may use. It begins with the limits and mode of
    /// this one, and then has its own. Returns at once.
    ///
    /// # Errors
    /// Those of fcntl(2): `EMFILE`.
    pub fn try_clone(&self) -> io::Result<UdpSocket> {
        Ok(UdpSocket { socket: self.socket.try_clone()? })
    }

    /// The address of the peer, if one was [chosen](UdpSocket::connect).
    ///
    /// # Errors
    /// Those of getpeername(2).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        sockaddr::decode(&self.socket.peer_name()?)
    }

    /// The address of this socket.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        sockaddr::decode(&self.socket.local_name()?)
    }

    /// Takes the error that the socket has stored (`SO_ERROR`).
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }

    /// Allows sending to broadcast addresses (`SO_BROADCAST`).
    ///
    /// # Errors
    /// Those of setsockopt(2).
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.socket.set_option(libc::SOL_SOCKET, libc::SO_BROADCAST, i32::from(broadcast))
    }

    /// Whether `SO_BROADCAST` is set.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn broadcast(&self) -> io::Result<bool> {
        Ok(self.socket.option(libc::SOL_SOCKET, libc::SO_BROADCAST)? != 0)
    }

    /// Sets `IP_TTL`: how many routers a datagram may pass.
    ///
    /// # Errors
    /// Those of setsockopt(2).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.set_option(libc::IPPROTO_IP, libc::IP_TTL, ttl as i32)
    }

    /// `IP_TTL`.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn ttl(&self) -> io::Result<u32> {
        Ok(self.socket.option(libc::IPPROTO_IP, libc::IP_TTL)? as u32)
    }

    fn std<R>(&self, look: impl FnOnce(&std::net::UdpSocket) -> io::Result<R>) -> io::Result<R> {
        self.socket.descriptor.as_std(look)
    }
}

/// Methods that std's socket answers at once.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl UdpSocket {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// Those of the system call; `NotConnected` when it was closed.
                pub fn $name(&self, $($argument: $type),*) -> io::Result<$result> {
                    self.std(|std| std.$name($($argument),*))
                }
            )*
        }
    };
}

options! {
    /// Sets `IP_MULTICAST_LOOP`: whether this host receives datagrams that this socket sends to IPv4 groups of
    /// its own.
    set_multicast_loop_v4(receives: bool) -> ();
    /// Whether `IP_MULTICAST_LOOP` is set.
    multicast_loop_v4() -> bool;
    /// Sets `IP_MULTICAST_TTL`: how many routers a datagram to a group may pass.
    set_multicast_ttl_v4(ttl: u32) -> ();
    /// `IP_MULTICAST_TTL`.
    multicast_ttl_v4() -> u32;
    /// Sets `IPV6_MULTICAST_LOOP`: whether this host receives datagrams that this socket sends to IPv6 groups of
    /// its own.
    set_multicast_loop_v6(receives: bool) -> ();
    /// Whether `IPV6_MULTICAST_LOOP` is set.
    multicast_loop_v6() -> bool;
    /// Joins an IPv4 group on the interface with this address (`IP_ADD_MEMBERSHIP`).
    join_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Leaves an IPv4 group (`IP_DROP_MEMBERSHIP`).
    leave_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Joins an IPv6 group on the interface with this index (`IPV6_ADD_MEMBERSHIP`).
    join_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
    /// Leaves an IPv6 group (`IPV6_DROP_MEMBERSHIP`).
    leave_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |address: io::Result<SocketAddr>| address.ok().map(|a| a.to_string());
        let (here, peer) = (show(self.local_addr()), show(self.peer_addr()));
        self.socket.show(f, "UdpSocket", &[("addr", here), ("peer", peer)])
    }
}
