//! A ring in its best configuration, and the tokens of its entries.

use std::io;
use std::os::fd::RawFd;

use io_uring::{IoUring, opcode, squeue, types};

/// SINGLE_ISSUER and DEFER_TASKRUN are the flags that matter: twice the speed of a plain ring on HTTP.
///
/// # Errors
/// When the kernel refuses such a ring (before 6.1, or not allowed).
pub fn build() -> io::Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_cqsize(4096)
        .build(1024)
}

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Accept,
    Receive,
    Send,
}

/// The word that comes back with a completion: descriptor, buffer, kind.
pub fn token(kind: Kind, fd: RawFd, buffer: u16) -> u64 {
    (fd as u64) << 32 | u64::from(buffer) << 8 | kind as u64
}

/// The parts of a [`token`].
pub fn parts(token: u64) -> (Kind, RawFd, u16) {
    let kind = match token & 0xff {
        0 => Kind::Accept,
        1 => Kind::Receive,
        _ => Kind::Send,
    };
    (kind, (token >> 32) as RawFd, (token >> 8) as u16)
}

/// Queues an entry, handing over what is queued when there is no room.
///
/// # Safety
/// The memory that the entry names must stay until its last completion.
pub unsafe fn push(ring: &mut IoUring, entry: &squeue::Entry) {
    loop {
        // SAFETY: the caller keeps the memory of the entry.
        if unsafe { ring.submission().push(entry) }.is_ok() {
            return;
        }
        if let Err(error) = ring.submit() {
            let passing = error.raw_os_error() == Some(libc::EINTR);
            assert!(passing, "io_uring_enter: {error}");
        }
    }
}

/// One accept that yields every connection.
pub fn accept(ring: &mut IoUring, listener: RawFd) {
    let entry = opcode::AcceptMulti::new(types::Fd(listener)).build();
    // SAFETY: the entry names no memory.
    unsafe { push(ring, &entry.user_data(token(Kind::Accept, listener, 0))) };
}

/// Submits and waits for something to do.
///
/// # Panics
/// When the kernel refuses in a way that is no signal.
pub fn wait(ring: &IoUring) {
    if let Err(error) = ring.submit_and_wait(1) {
        let passing = [Some(libc::EINTR), Some(libc::EBUSY)].contains(&error.raw_os_error());
        assert!(passing, "io_uring_enter: {error}");
    }
}

/// Small messages leave at once.
pub fn no_delay(fd: RawFd) {
    let on: libc::c_int = 1;
    let length = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the kernel reads one integer.
    unsafe {
        libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const on).cast(), length);
    }
}

/// Closes a connection that has no operation left.
pub fn close(fd: RawFd) {
    // SAFETY: the descriptor came from accept and is forgotten by the caller.
    unsafe { libc::close(fd) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_whole() {
        for kind in [Kind::Accept, Kind::Receive, Kind::Send] {
            assert_eq!(parts(token(kind, 123_456, 0xabcd)), (kind, 123_456, 0xabcd));
        }
    }
}
