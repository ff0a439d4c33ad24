//! Between our types, std's and bare descriptors.
//!
//! A descriptor that comes in is put into the mode that the hub wants; one that goes out is blocking,
//! as std's calls want it. Time limits go along.
#![expect(unsafe_code, reason = "FromRawFd")]

use super::socket::Socket;
use super::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

/// Listeners have no time limits, all others do.
macro_rules! take_along {
    (of TcpListener, $from:expr) => {
        ()
    };
    (to TcpListener, $to:expr, $limits:expr) => {
        let () = $limits;
    };
    (of UnixListener, $from:expr) => {
        ()
    };
    (to UnixListener, $to:expr, $limits:expr) => {
        let () = $limits;
    };
    (of $type:ident, $from:expr) => {
        ($from.read_timeout().ok().flatten(), $from.write_timeout().ok().flatten())
    };
    (to $type:ident, $to:expr, $limits:expr) => {
        if let (Some(_), _) | (_, Some(_)) = $limits {
            let _ = $to.set_read_timeout($limits.0);
            let _ = $to.set_write_timeout($limits.1);
        }
    };
}

/// What all types here have that hold a [`Socket`] in `socket`.
macro_rules! conversions {
    ($type:ident, $std:ty) => {
        impl From<OwnedFd> for $type {
            /// Takes a descriptor over; it is put into the mode that this thread's hub wants.
            fn from(fd: OwnedFd) -> $type {
                let socket = Socket::adopt(fd);
                $type { socket: socket.unwrap_or_else(|error| panic!("{error}")) }
            }
        }

        impl From<$std> for $type {
            /// Takes a socket of std's over, blocking or not. Its time limits go along.
            fn from(std: $std) -> $type {
                let limits = take_along!(of $type, &std);
                let this = $type::from(OwnedFd::from(std));
                take_along!(to $type, &this, limits);
                this
            }
        }

        impl From<$type> for $std {
            /// Gives the socket to std, in blocking mode. Its time limits go along.
            ///
            /// # Panics
            /// When it was closed.
            fn from(this: $type) -> $std {
                let limits = take_along!(of $type, &this);
                let std = <$std>::from(OwnedFd::from(this));
                take_along!(to $type, &std, limits);
                std
            }
        }

        impl From<$type> for OwnedFd {
            /// Gives the descriptor away, in blocking mode.
            ///
            /// # Panics
            /// When it was closed.
            fn from(this: $type) -> OwnedFd {
                this.socket.descriptor.into_owned()
            }
        }

        impl AsFd for $type {
            /// Lends the descriptor, which may be in either mode.
            ///
            /// # Panics
            /// When it was closed.
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.socket.descriptor.as_fd()
            }
        }

        impl AsRawFd for $type {
            /// The descriptor's number; -1 when it was closed.
            fn as_raw_fd(&self) -> RawFd {
                self.socket.descriptor.as_raw_fd()
            }
        }

        impl IntoRawFd for $type {
            fn into_raw_fd(self) -> RawFd {
                OwnedFd::from(self).into_raw_fd()
            }
        }

        impl FromRawFd for $type {
            unsafe fn from_raw_fd(number: RawFd) -> $type {
                // SAFETY: the caller's promise: it is open, and now ours.
                $type::from(unsafe { OwnedFd::from_raw_fd(number) })
            }
        }
    };
}

conversions!(TcpStream, std::net::TcpStream);
conversions!(TcpListener, std::net::TcpListener);
conversions!(UdpSocket, std::net::UdpSocket);
conversions!(UnixStream, std::os::unix::net::UnixStream);
conversions!(UnixListener, std::os::unix::net::UnixListener);
conversions!(UnixDatagram, std::os::unix::net::UnixDatagram);
