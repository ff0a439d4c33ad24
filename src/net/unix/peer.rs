//! The methods of UNIX sockets that have a peer, streams and datagrams.

/// For a type named as std's, that holds a [`Socket`](crate::net::socket::Socket) in `socket`.
macro_rules! peer {
    ($type:ident) => {
        impl $type {
            /// Shuts down one or both directions: the peer sees the end of a stream, and greenlets that wait
            /// in this socket's calls are woken. Returns at once.
            ///
            /// # Errors
            /// Those of shutdown(2).
            pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                op::shutdown(&self.socket.descriptor, how)
            }

            /// Ends the calls in which other greenlets wait, and closes the socket: see
            /// [`TcpStream::close`](crate::net::TcpStream::close).
            ///
            /// # Errors
            /// Those of close(2); it is closed nevertheless.
            ///
            /// # Cancellation
            /// This is not interrupted, as it waits only for the kernel.
            pub fn close(&self) -> io::Result<()> {
                self.socket.close()
            }

            /// A second value for the same socket, which another thread may use. It begins with the limits
            /// and mode of this one, and then has its own. Returns at once.
            ///
            /// # Errors
            /// Those of fcntl(2): `EMFILE`.
            pub fn try_clone(&self) -> io::Result<$type> {
                Ok($type { socket: self.socket.try_clone()? })
            }

            /// The name of this socket. Returns at once.
            ///
            /// # Errors
            /// Those of getsockname(2).
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                sockaddr::decode_unix(&self.socket.local_name()?)
            }

            /// The name of the peer. Returns at once.
            ///
            /// # Errors
            /// Those of getpeername(2).
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                sockaddr::decode_unix(&self.socket.peer_name()?)
            }

            /// Takes the error that the socket has stored (`SO_ERROR`). Returns at once.
            ///
            /// # Errors
            /// Those of getsockopt(2).
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.socket.take_error()
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let show = |address: io::Result<SocketAddr>| address.ok().map(|a| format!("{a:?}"));
                let (here, peer) = (show(self.local_addr()), show(self.peer_addr()));
                self.socket.show(f, stringify!($type), &[("local", here), ("peer", peer)])
            }
        }
    };
}

pub(super) use peer;
