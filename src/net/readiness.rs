//! Waiting until a descriptor of somebody else's is ready.

use crate::op;
use std::io;
use std::os::fd::AsFd;

/// Parks until something can be read from a descriptor, or it has come to its end or to an error.
///
/// For descriptors that others read: those of C libraries, say. They may be of any kind that poll(2)
/// knows, in either mode, and they are not changed.
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
/// `EPERM` or `EINVAL` for what cannot be polled. When the descriptor is closed meanwhile it may wait
/// for ever: do not.
///
/// # Cancellation
/// Nothing was read, so that nothing is lost.
#[doc(alias("wait_read", "trampoline"))]
pub fn readable(fd: impl AsFd) -> io::Result<()> {
    op::poll_foreign(fd.as_fd(), libc::POLLIN | libc::POLLRDHUP).map(drop)
}

/// Parks until something can be written to a descriptor, or an error has come.
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
