//! One system call that does not wait: its result, or `-EAGAIN`.
#![expect(unsafe_code, reason = "system calls with the addresses of requests")]

use super::super::{Fd, Request};
use super::select;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr::null_mut;

/// Makes the call of a request, and counts it. Sockets are asked not to wait; for
/// `Connect`, `Read` and `Write` the descriptor itself must be non-blocking.
///
/// `has_begun`: an earlier connect(2) of this request answered `-EINPROGRESS`.
///
/// # Safety
/// - The addresses of the request are valid for its system call.
pub(super) unsafe fn attempt(request: &Request, has_begun: bool, calls: &mut u64) -> i32 {
    match *request {
        // `RecvPooled` becomes a `Recv` as soon as it has a buffer.
        Request::Nop | Request::RecvPooled { .. } => 0,
        Request::Accept { fd, address, length, flags } => {
            // SAFETY: the caller's promise.
            unsafe { accept(fd, address, length, flags, calls) }
        }
        Request::AcceptMany { fd, flags } => {
            // SAFETY: nobody asks for the address.
            unsafe { accept(fd, null_mut(), null_mut(), flags, calls) }
        }
        Request::Connect { fd, .. } if has_begun => connected(fd, calls),
        Request::Connect { fd, address, length } => {
            *calls += 1;
            // SAFETY: the caller's promise.
            match unsafe { libc::connect(fd.number(), address, length) } {
                0 => 0,
                // Not again after a signal: the connection is on its way all the same.
                _ => match errno() {
                    libc::EINTR => -libc::EINPROGRESS,
                    error => -error,
                },
            }
        }
        Request::Recv { fd, buffer, length, flags } => call(calls, || {
            let flags = flags | libc::MSG_DONTWAIT;
            // SAFETY: the caller's promise.
            unsafe { libc::recv(fd.number(), buffer.cast(), length, flags) }
        }),
        Request::Send { fd, buffer, length, flags } => call(calls, || {
            let flags = flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: the caller's promise.
            unsafe { libc::send(fd.number(), buffer.cast(), length, flags) }
        }),
        Request::RecvMessage { fd, message, flags } => call(calls, || {
            // SAFETY: the caller's promise.
            unsafe { libc::recvmsg(fd.number(), message, flags | libc::MSG_DONTWAIT) }
        }),
        Request::SendMessage { fd, message, flags } => call(calls, || {
            let flags = flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: the caller's promise.
            unsafe { libc::sendmsg(fd.number(), message, flags) }
        }),
        Request::Read { fd, buffer, length, offset } => call(calls, || {
            // SAFETY: the caller's promise.
            unsafe {
                if offset == u64::MAX {
                    libc::read(fd.number(), buffer.cast(), length)
                } else {
                    libc::pread64(fd.number(), buffer.cast(), length, offset as i64)
                }
            }
        }),
        Request::Write { fd, buffer, length, offset } => call(calls, || {
            // SAFETY: the caller's promise.
            unsafe {
                if offset == u64::MAX {
                    libc::write(fd.number(), buffer.cast(), length)
                } else {
                    libc::pwrite64(fd.number(), buffer.cast(), length, offset as i64)
                }
            }
        }),
        Request::Poll { fd, events } => poll(fd, events, calls),
    }
}

/// accept4(2), which cannot be asked not to wait. The descriptor's own mode is looked at each time: it is that of
/// all its clones, one of which may have been given to std since, and of all processes that have it.
///
/// # Safety
/// - The addresses are valid for accept4.
unsafe fn accept(
    fd: Fd,
    address: *mut libc::sockaddr,
    length: *mut libc::socklen_t,
    flags: i32,
    calls: &mut u64,
) -> i32 {
    let number = fd.number();
    // SAFETY: no memory.
    let mode = call(calls, || unsafe { libc::fcntl(number, libc::F_GETFL) as isize });
    if mode >= 0 && mode & libc::O_NONBLOCK == 0 {
        let mode = mode | libc::O_NONBLOCK;
        // SAFETY: no memory.
        call(calls, || unsafe { libc::fcntl(number, libc::F_SETFL, mode) as isize });
    }
    // SAFETY: the caller's promise.
    call(calls, || unsafe { libc::accept4(number, address, length, flags) as isize })
}

/// poll(2) of one descriptor without waiting: what is ready, or `-EAGAIN`. A number that is not
/// open is `-EBADF`, as io_uring has it.
pub(super) fn poll(fd: Fd, events: i16, calls: &mut u64) -> i32 {
    let mut one = libc::pollfd { fd: fd.number(), events, revents: 0 };
    // SAFETY: one descriptor, in this frame.
    match call(calls, || unsafe { libc::poll(&raw mut one, 1, 0) as isize }) {
        0 => -libc::EAGAIN,
        1 if one.revents & libc::POLLNVAL != 0 => -libc::EBADF,
        1 => i32::from(one.revents),
        // A filter forbids it, as it must where select is the poller.
        error if matches!(-error, libc::ENOSYS | libc::EPERM) => select::look(fd.number(), events),
        error => error,
    }
}

/// How a connection that was begun has ended.
fn connected(fd: Fd, calls: &mut u64) -> i32 {
    match option(fd.number(), libc::SO_ERROR, calls) {
        // No error, but perhaps no end either: the event may have been about something else.
        Ok(0) => match poll(fd, libc::POLLOUT, calls) {
            error if error < 0 => error,
            _ => 0,
        },
        Ok(error) | Err(error) => -error,
    }
}

/// Is this a TCP socket? Only there does a short read mean "no more", and a short write "no room".
/// A UNIX stream stops at each passed descriptor, a datagram ends where it ends, a pipe may be
/// written between the two.
pub(super) fn is_tcp(fd: Fd, calls: &mut u64) -> bool {
    // Raw sockets and netlink have this number for something else: hence also the type.
    option(fd.number(), libc::SO_PROTOCOL, calls) == Ok(libc::IPPROTO_TCP)
        && option(fd.number(), libc::SO_TYPE, calls) == Ok(libc::SOCK_STREAM)
}

fn option(number: RawFd, name: i32, calls: &mut u64) -> Result<i32, i32> {
    let mut value = MaybeUninit::<i32>::zeroed();
    let mut length = size_of::<i32>() as libc::socklen_t;
    *calls += 1;
    // SAFETY: `value` has room for `length` bytes.
    let answer = unsafe {
        libc::getsockopt(number, libc::SOL_SOCKET, name, value.as_mut_ptr().cast(), &raw mut length)
    };
    // SAFETY: zeroed, and written over with an integer at most.
    if answer == 0 { Ok(unsafe { value.assume_init() }) } else { Err(errno()) }
}

/// The result of a system call as a completion has it. A signal is no result.
#[inline]
fn call(calls: &mut u64, mut once: impl FnMut() -> isize) -> i32 {
    loop {
        *calls += 1;
        let answer = once();
        if answer >= 0 {
            // Linux transfers less than 2 GiB at once.
            return answer as i32;
        }
        match errno() {
            libc::EINTR => {}
            error => return -error,
        }
    }
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
