//! socket(2): a new one, in the mode that this thread's hub wants. Never waits.
#![expect(unsafe_code, reason = "makes the system call")]

use super::Descriptor;
use crate::hub::hub;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Makes a socket that is closed on exec.
pub(crate) fn socket(family: i32, kind: i32) -> io::Result<Descriptor> {
    let mode = if hub().wants_nonblocking() { libc::SOCK_NONBLOCK } else { 0 };
    // SAFETY: touches no memory.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC | mode, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor, nobody else's.
    Ok(Descriptor::adopt_as_is(unsafe { OwnedFd::from_raw_fd(fd) }))
}
