//! Waiting until one of several descriptors is ready.

use crate::hub::hub;
use crate::op;
use crate::sync::Event;
use crate::task::scope;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Which descriptors [`select`] found ready, by their places in its arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// Those from which something can be read, or which have come to their end or to an error.
    pub readable: Vec<usize>,
    /// Those to which something can be written, or on which an error has come.
    pub writable: Vec<usize>,
}

impl Selected {
    /// Whether none is ready.
    pub fn is_empty(&self) -> bool {
        self.readable.is_empty() && self.writable.is_empty()
    }
}

/// Parks until a descriptor of `readers` can be read from, or one of `writers` written to, for at most
/// `limit`; returns which are ready then. With a limit of zero it returns at once.
///
/// For loops that were written around `select` or `poll`. While it waits it runs a task for each descriptor. A
/// task of your own for each, which reads by itself, is simpler and costs less. To wait for descriptors beside
/// tasks and queues, spawn a task that calls [`readable`](super::readable) and give its handle to
/// [`wait`](crate::wait()).
///
/// ```
/// use greenlet::net::{UnixStream, select};
/// use std::io::Write;
/// use std::os::fd::AsFd;
/// use std::time::Duration;
/// let (left, mut other_left) = UnixStream::pair()?;
/// let (right, _other_right) = UnixStream::pair()?;
/// greenlet::spawn_detached(move || other_left.write_all(b"x").unwrap());
/// let ready = select(&[right.as_fd(), left.as_fd()], &[], Some(Duration::from_secs(10)))?;
/// assert_eq!(ready.readable, [1]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Those of poll(2) and of [`readable`](super::readable); `EBADF` if one is not an open descriptor.
///
/// # Panics
/// If there is no memory for a stack, and if it would park while the thread unwinds.
///
/// # Cancellation
/// What arrives inside is raised here. Nothing was read or written, so nothing is lost.
#[doc(alias("poll", "select.select"))]
pub fn select(
    readers: &[BorrowedFd<'_>],
    writers: &[BorrowedFd<'_>],
    limit: Option<Duration>,
) -> io::Result<Selected> {
    // First: once it was looked, nobody else may run and take what was found.
    hub().spend_inline_end();
    hub().raise_pending();
    let end = limit.map(|limit| hub().moment(limit));
    loop {
        let ready = look(readers, writers)?;
        let left = end.map(|end| Duration::from_nanos(end.saturating_sub(hub().now())));
        if !ready.is_empty() || left == Some(Duration::ZERO) {
            return Ok(ready);
        }
        wait_for_any(readers, writers, left.unwrap_or(Duration::MAX))?;
    }
}

/// Which are ready now.
fn look(readers: &[BorrowedFd<'_>], writers: &[BorrowedFd<'_>]) -> io::Result<Selected> {
    let entry =
        |events| move |fd: &BorrowedFd<'_>| libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    let reading = readers.iter().map(entry(libc::POLLIN));
    let writing = writers.iter().map(entry(libc::POLLOUT));
    let mut entries: Vec<_> = reading.chain(writing).collect();
    op::poll_now(&mut entries)?;
    if entries.iter().any(|entry| entry.revents & libc::POLLNVAL != 0) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    let ready = |entries: &[libc::pollfd]| {
        let places = entries.iter().enumerate().filter(|(_, entry)| entry.revents != 0);
        places.map(|(place, _)| place).collect()
    };
    let (reading, writing) = entries.split_at(readers.len());
    Ok(Selected { readable: ready(reading), writable: ready(writing) })
}

/// Parks until one may be ready, or the time is over.
fn wait_for_any<'a>(
    readers: &[BorrowedFd<'a>],
    writers: &[BorrowedFd<'a>],
    limit: Duration,
) -> io::Result<()> {
    let one_is_ready = Event::new();
    scope(|s| {
        let one_is_ready = &one_is_ready;
        let watch = |fd: BorrowedFd<'a>, events| {
            s.spawn(move || {
                let ready = op::poll_foreign(fd, events).map(drop);
                one_is_ready.set();
                ready
            })
        };
        let reading: Vec<_> = readers.iter().map(|fd| watch(*fd, libc::POLLIN)).collect();
        let writing: Vec<_> = writers.iter().map(|fd| watch(*fd, libc::POLLOUT)).collect();
        one_is_ready.wait_timeout(limit);
        let watching = || reading.iter().chain(&writing);
        watching().for_each(|task| task.kill_soon());
        // Those that were killed have no result.
        reading.into_iter().chain(writing).filter_map(|task| task.join().ok()).collect()
    })
}
