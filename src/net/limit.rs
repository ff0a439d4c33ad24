//! The methods with which all that send and receive limit how long that may take.

/// For a type that holds a [`Socket`](super::socket::Socket) in `socket`; and for the examples, a
/// statement that makes one, `socket`, to which nobody sends.
macro_rules! limits {
    ($type:ident, $quiet:literal) => {
        impl $type {
            /// Limits how long each call that receives through this value may take; `None` for no
            /// limit. Returns at once.
            ///
            /// ```
            #[doc = concat!("use greenlet::net::*;\n", $quiet)]
            /// use std::{io::{ErrorKind, Read}, time::Duration};
            /// socket.set_read_timeout(Some(Duration::from_millis(1)))?;
            #[doc = concat!("let error = ", limits!(receive $type), ".unwrap_err();")]
            /// assert_eq!(error.kind(), ErrorKind::TimedOut);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            ///
            /// # Errors
            /// `InvalidInput` for a limit of zero.
            #[doc(alias = "settimeout")]
            pub fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
                self.socket.set_read_timeout(limit)
            }

            /// As [`set_read_timeout`](Self::set_read_timeout), for sending.
            ///
            /// # Errors
            /// `InvalidInput` for a limit of zero.
            pub fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
                self.socket.set_write_timeout(limit)
            }

            /// How long each call that receives may take. Returns at once.
            ///
            /// # Errors
            /// None: the `Result` is there because std has one.
            #[doc(alias = "gettimeout")]
            pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.socket.read_timeout())
            }

            /// How long each call that sends may take. Returns at once.
            ///
            /// # Errors
            /// None: the `Result` is there because std has one.
            pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.socket.write_timeout())
            }

            /// Makes calls through this value return `WouldBlock` where they would wait for the peer. They may
            /// still let other greenlets run.
            ///
            /// ```
            #[doc = concat!("use greenlet::net::*;\n", $quiet)]
            /// use std::io::{ErrorKind, Read};
            /// socket.set_nonblocking(true)?;
            #[doc = concat!("let error = ", limits!(receive $type), ".unwrap_err();")]
            /// assert_eq!(error.kind(), ErrorKind::WouldBlock);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            ///
            /// # Errors
            /// `NotConnected` when it was closed.
            #[doc(alias = "setblocking")]
            pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.socket.set_nonblocking(nonblocking)
            }
        }
    };
    (receive TcpStream) => {
        "(&socket).read(&mut [0; 9])"
    };
    (receive UnixStream) => {
        "(&socket).read(&mut [0; 9])"
    };
    (receive $type:ident) => {
        "socket.recv(&mut [0; 9])"
    };
}

pub(super) use limits;
