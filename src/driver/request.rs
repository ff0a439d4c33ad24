//! What can be asked of the kernel, free of any driver's own words.

use super::{Fd, Token};
use std::cell::Cell;
use std::ptr::null;

/// One system call that may have to wait. Addresses must stay valid as **Kernel holds until
/// completion** says; lengths are in bytes. Results are those of the system call, errors `-errno`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request {
    /// Ends at once with 0.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests ask for nothing"))]
    Nop,
    /// accept4(2); `address` and `length` may be null.
    Accept { fd: Fd, address: *mut libc::sockaddr, length: *mut libc::socklen_t, flags: i32 },
    /// accept4(2) again and again: completions with [`MORE`](super::MORE) until one without.
    AcceptMany { fd: Fd, flags: i32 },
    /// connect(2)
    Connect { fd: Fd, address: *const libc::sockaddr, length: libc::socklen_t },
    /// recv(2)
    Recv { fd: Fd, buffer: *mut u8, length: usize, flags: i32 },
    /// recv(2) into a buffer of the driver's pool, which the completion names; `-ENOBUFS` if all
    /// are in use.
    RecvPooled { fd: Fd, flags: i32 },
    /// send(2); a driver adds `MSG_NOSIGNAL`.
    Send { fd: Fd, buffer: *const u8, length: usize, flags: i32 },
    /// recvmsg(2)
    RecvMessage { fd: Fd, message: *mut libc::msghdr, flags: i32 },
    /// sendmsg(2); a driver adds `MSG_NOSIGNAL`.
    SendMessage { fd: Fd, message: *const libc::msghdr, flags: i32 },
    /// read(2), or pread(2) where `offset` is not `u64::MAX`.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests read anything but sockets"))]
    Read { fd: Fd, buffer: *mut u8, length: usize, offset: u64 },
    /// write(2), or pwrite(2) where `offset` is not `u64::MAX`.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests write to anything but sockets"))]
    Write { fd: Fd, buffer: *const u8, length: usize, offset: u64 },
    /// poll(2) of one descriptor for `events` (`POLLIN` and so on); the result is `revents`.
    Poll { fd: Fd, events: i16 },
}

impl Request {
    /// The descriptor that it names.
    pub(crate) fn fd(&self) -> Option<Fd> {
        match *self {
            Request::Nop => None,
            Request::Accept { fd, .. }
            | Request::AcceptMany { fd, .. }
            | Request::Connect { fd, .. }
            | Request::Recv { fd, .. }
            | Request::RecvPooled { fd, .. }
            | Request::Send { fd, .. }
            | Request::RecvMessage { fd, .. }
            | Request::SendMessage { fd, .. }
            | Request::Read { fd, .. }
            | Request::Write { fd, .. }
            | Request::Poll { fd, .. } => Some(fd),
        }
    }

    /// Its name for reports: that of the system call.
    pub(crate) fn name(&self) -> &'static &'static str {
        match self {
            Request::Nop => &"nop",
            Request::Accept { .. } | Request::AcceptMany { .. } => &"accept",
            Request::Connect { .. } => &"connect",
            Request::Recv { .. } | Request::RecvPooled { .. } => &"recv",
            Request::Send { .. } => &"send",
            Request::RecvMessage { .. } => &"recvmsg",
            Request::SendMessage { .. } => &"sendmsg",
            Request::Read { .. } => &"read",
            Request::Write { .. } => &"write",
            Request::Poll { .. } => &"poll",
        }
    }
}

/// A request on its way, in the frame of whoever waits for it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) request: Request,
    /// Comes back with every completion.
    pub(crate) token: Token,
    /// For a driver that keeps entries in lists of its own; null while in none.
    pub(super) next: Cell<*const Entry>,
    /// For a driver: what it has done so far.
    pub(super) progress: Cell<u32>,
}

impl Entry {
    pub(crate) fn new(request: Request, token: Token) -> Entry {
        Entry { request, token, next: Cell::new(null()), progress: Cell::new(0) }
    }
}

/// What became of an entry that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// A completion will follow.
    Queued,
    /// It is done already, with this result, and no completion follows. Never for `AcceptMany`.
    Done(i32),
}
