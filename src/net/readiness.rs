//! Waiting until a descriptor of somebody else's is ready.

use crate::op;
use std::io;
use std::os::fd::AsFd;

/// Parks until a descriptor is readable: there is something to read, or its end or an error has come.
///
/// For descriptors that this crate does not read itself: pipes, or those of C libraries. They may be of any kind
/// that poll(2) knows, blocking or not, and they are not changed.
///
/// ```
/// use std::io::{Read, Write};
/// let (mut reader, mut writer) = std::io::pipe()?;
/// let task = greenlet::spawn(move || greenlet::net::readable(&reader).and_then(|()| {
///     let mut text = String::new();
///     reader.read_to_string(&mut text).map(|_| text)
/// }));
/// greenlet::yield_now();
/// write!(writer, "from elsewhere")?;
/// drop(writer);
/// assert_eq!(task.join().unwrap()?, "from elsewhere");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// `EPERM` or `EINVAL` for what cannot be polled; `EBADF` if it is a socket of this crate that another greenlet
/// [closes](crate::net::TcpStream::close). Do not close any other descriptor meanwhile: this may then wait for
/// ever.
///
/// # Cancellation
/// What arrives inside is raised here. Nothing was read, so nothing is lost.
#[doc(alias("wait_read", "trampoline"))]
pub fn readable(fd: impl AsFd) -> io::Result<()> {
    op::poll_foreign(fd.as_fd(), libc::POLLIN | libc::POLLRDHUP).map(drop)
}

/// Parks until a descriptor is writable: something can be written to it, or an error has come.
///
/// ```
/// let (_reader, writer) = std::io::pipe()?;
/// greenlet::net::writable(&writer)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// As [`readable`].
///
/// # Cancellation
/// As [`readable`].
#[doc(alias = "wait_write")]
pub fn writable(fd: impl AsFd) -> io::Result<()> {
    op::poll_foreign(fd.as_fd(), libc::POLLOUT).map(drop)
}
