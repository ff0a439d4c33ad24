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
        // None, too: the kernel still has the limits with which a socket of std's came in.
        let _ = $to.set_read_timeout($limits.0);
        let _ = $to.set_write_timeout($limits.1);
    };
}

/// What all types here have that hold a [`Socket`] in `socket`.
macro_rules! conversions {
    ($type:ident, $std:ty) => {
        impl From<OwnedFd> for $type {
            /// Takes a descriptor over, and puts it into the mode that this thread's hub wants.
            ///
            /// # Panics
            /// If its mode cannot be set (fcntl(2)), and in a simulated world, where descriptors of the kernel
            /// cannot be used. Also if this is the first call that needs a hub, and none can be made.
            fn from(fd: OwnedFd) -> $type {
                let socket = Socket::adopt(fd);
                $type { socket: socket.unwrap_or_else(|error| panic!("{error}")) }
            }
        }

        impl From<$std> for $type {
            /// Takes a socket of std over, blocking or not, with its time limits.
            ///
            /// # Panics
            /// As from an [`OwnedFd`].
            fn from(std: $std) -> $type {
                let limits = take_along!(of $type, &std);
                let this = $type::from(OwnedFd::from(std));
                take_along!(to $type, &this, limits);
                this
            }
        }

        impl From<$type> for $std {
            /// Turns it into a socket of std, in blocking mode, with its time limits.
            ///
            /// # Panics
            /// If it was closed, and in a simulated world.
            fn from(this: $type) -> $std {
                let limits = take_along!(of $type, &this);
                let std = <$std>::from(OwnedFd::from(this));
                take_along!(to $type, &std, limits);
                std
            }
        }

        impl From<$type> for OwnedFd {
            /// Turns it into its descriptor, in blocking mode.
            ///
            /// # Panics
            /// If it was closed, and in a simulated world.
            fn from(this: $type) -> OwnedFd {
                this.socket.descriptor.into_owned()
            }
        }

        impl AsFd for $type {
            /// Borrows the descriptor, which may be in blocking mode or not. Do not call `close` while it is
            /// borrowed: its number may soon name another file.
            ///
            /// # Panics
            /// If it was closed, and in a simulated world.
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.socket.descriptor.as_fd()
            }
        }

        impl AsRawFd for $type {
            /// The descriptor's number; -1 if it was closed.
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
