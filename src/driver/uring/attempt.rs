//! Operations without io_uring: a poll of the descriptor, then the system call, which must not wait.
#![expect(unsafe_code, reason = "the system calls that requests name")]

use crate::driver::{Entry, Fd, Request};
use std::io;

/// In `Entry::progress`: the SQE in flight is a poll that stands in for the operation.
pub(super) const POLLING: u32 = 1;
/// A cancellation was pushed: from now on the entry is not submitted again.
pub(super) const CANCELLED: u32 = 2;
/// A `Poll`, which is in the list of those in flight.
pub(super) const LISTED: u32 = 8;
/// What it polls was closed.
pub(super) const ABANDONED: u32 = 16;
/// connect(2) was called and is under way.
const CONNECTING: u32 = 4;

/// What a poll should wait for; errors and a hang-up end it in any case.
pub(super) fn events(request: &Request) -> i16 {
    match *request {
        Request::Nop => 0,
        Request::Accept { .. }
        | Request::AcceptMany { .. }
        | Request::RecvPooled { .. }
        | Request::Read { .. } => libc::POLLIN,
        Request::Recv { flags, .. } | Request::RecvMessage { flags, .. } => {
            if flags & libc::MSG_ERRQUEUE != 0 {
                // It is not empty: POLLERR.
                0
            } else if flags & libc::MSG_OOB != 0 {
                libc::POLLPRI
            } else {
                libc::POLLIN | libc::POLLRDHUP
            }
        }
        Request::Connect { .. }
        | Request::Send { .. }
        | Request::SendMessage { .. }
        | Request::Write { .. } => libc::POLLOUT,
        Request::Poll { events, .. } => events,
    }
}

/// Is an `EAGAIN` after this answer of a poll the end? A datagram socket that was shut down says so to
/// those alone who would wait in recv(2).
pub(super) fn has_ended(request: &Request, polled: i32) -> bool {
    let receives = matches!(request, Request::Recv { .. } | Request::RecvMessage { .. });
    receives && events(request) & libc::POLLIN != 0 && polled & i32::from(libc::POLLRDHUP) != 0
}

/// Does `EAGAIN` mean that it has to wait? For a caller who does not want to, it is the answer; so
/// it is for a connect(2), where it says that the other side's queue is full (AF_UNIX) or that no
/// port is free.
pub(super) fn may_wait(request: &Request) -> bool {
    match *request {
        Request::Nop | Request::Poll { .. } | Request::Connect { .. } => false,
        Request::Recv { flags, .. }
        | Request::RecvPooled { flags, .. }
        | Request::Send { flags, .. }
        | Request::RecvMessage { flags, .. }
        | Request::SendMessage { flags, .. } => flags & libc::MSG_DONTWAIT == 0,
        Request::Accept { .. }
        | Request::AcceptMany { .. }
        | Request::Read { .. }
        | Request::Write { .. } => true,
    }
}

/// Makes the system call, without waiting: its result or `-errno`. Nothing if it would have to wait.
pub(super) fn attempt(entry: &Entry) -> Option<i32> {
    let request = &entry.request;
    let result = match *request {
        Request::Connect { fd, .. } => return connect(entry, fd),
        _ => repeat(|| call(request)),
    };
    (result != -libc::EAGAIN || !may_wait(request)).then_some(result)
}

/// Repeats what a signal interrupts.
fn repeat(mut call: impl FnMut() -> isize) -> i32 {
    loop {
        let result = call();
        if result >= 0 {
            return result as i32;
        }
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::EINTR) => {}
            errno => return -errno.unwrap_or(libc::EIO),
        }
    }
}

fn call(request: &Request) -> isize {
    let now = libc::MSG_DONTWAIT;
    let quiet = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    match *request {
        Request::Accept { fd, address, length, flags } => without_blocking(fd, || {
            // SAFETY: the addresses of a request on its way are valid (`push`); so in all of these.
            unsafe { libc::accept4(fd.number(), address, length, flags) as isize }
        }),
        Request::AcceptMany { fd, flags } => without_blocking(fd, || {
            let (address, length) = (std::ptr::null_mut(), std::ptr::null_mut());
            // SAFETY: no addresses.
            unsafe { libc::accept4(fd.number(), address, length, flags) as isize }
        }),
        Request::Recv { fd, buffer, length, flags } => {
            // SAFETY: as above.
            unsafe { libc::recv(fd.number(), buffer.cast(), length, flags | now) }
        }
        Request::Send { fd, buffer, length, flags } => {
            // SAFETY: as above.
            unsafe { libc::send(fd.number(), buffer.cast(), length, flags | quiet) }
        }
        Request::RecvMessage { fd, message, flags } => {
            // SAFETY: as above.
            unsafe { libc::recvmsg(fd.number(), message, flags | now) }
        }
        Request::SendMessage { fd, message, flags } => {
            // SAFETY: as above.
            unsafe { libc::sendmsg(fd.number(), message, flags | quiet) }
        }
        Request::Read { fd, buffer, length, offset } => without_blocking(fd, || {
            let (fd, buffer) = (fd.number(), buffer.cast());
            if offset == u64::MAX {
                // SAFETY: as above.
                unsafe { libc::read(fd, buffer, length) }
            } else {
                // SAFETY: as above.
                unsafe { libc::pread64(fd, buffer, length, offset as i64) }
            }
        }),
        Request::Write { fd, buffer, length, offset } => without_blocking(fd, || {
            let (fd, buffer) = (fd.number(), buffer.cast());
            if offset == u64::MAX {
                // SAFETY: as above.
                unsafe { libc::write(fd, buffer, length) }
            } else {
                // SAFETY: as above.
                unsafe { libc::pwrite64(fd, buffer, length, offset as i64) }
            }
        }),
        Request::Nop
        | Request::Poll { .. }
        | Request::Connect { .. }
        | Request::RecvPooled { .. } => unreachable!("{} is not attempted here", request.name()),
    }
}

/// Begins a connection, or looks what became of it.
fn connect(entry: &Entry, fd: Fd) -> Option<i32> {
    let Request::Connect { address, length, .. } = entry.request else { unreachable!() };
    if entry.progress.get() & CONNECTING != 0 {
        return Some(-socket_error(fd));
    }
    let result = without_blocking(fd, || {
        // SAFETY: the address of a request on its way is valid (`push`).
        match unsafe { libc::connect(fd.number(), address, length) } {
            0 => 0,
            _ => -(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO) as isize),
        }
    });
    match -result as i32 {
        // Interrupted or not, it goes on by itself; connect(2).
        libc::EINPROGRESS | libc::EINTR => {
            entry.progress.set(entry.progress.get() | CONNECTING);
            None
        }
        errno => Some(-errno),
    }
}

/// `SO_ERROR`.
fn socket_error(fd: Fd) -> i32 {
    let mut error = 0_i32;
    let mut length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: both variables have the room that they say.
    let result = unsafe {
        let (level, option) = (libc::SOL_SOCKET, libc::SO_ERROR);
        libc::getsockopt(fd.number(), level, option, (&raw mut error).cast(), &raw mut length)
    };
    if result == 0 { error } else { io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO) }
}

/// For calls that cannot be told not to wait: makes the descriptor non-blocking meanwhile, and
/// restores it. Others who share it may see that; kernels that have the operation do not come here.
fn without_blocking(fd: Fd, call: impl FnOnce() -> isize) -> isize {
    let fd = fd.number();
    // SAFETY: reads the flags of a descriptor.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags < 0 || flags & libc::O_NONBLOCK != 0 {
        return call();
    }
    // SAFETY: writes them.
    unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) };
    let result = call();
    let errno = io::Error::last_os_error();
    // SAFETY: as above.
    unsafe {
        libc::fcntl(fd, libc::F_SETFL, flags);
        *libc::__errno_location() = errno.raw_os_error().unwrap_or(0);
    }
    result
}
