//! What is asked of sockets and never waits: making them, their names, their options.
//!
//! A call that names a descriptor of the kernel's goes straight to the kernel, on whatever thread; only
//! what makes new ones is a question of the driver.
#![expect(unsafe_code, reason = "makes the system calls")]

use super::Fd;
use std::io;
use std::os::fd::RawFd;

/// An address as the kernel has it.
pub(crate) type RawAddress = (libc::sockaddr_storage, libc::socklen_t);

/// No address, with room for any.
pub(crate) fn no_address() -> RawAddress {
    // SAFETY: all zero is a valid sockaddr_storage.
    (unsafe { std::mem::zeroed() }, size_of::<libc::sockaddr_storage>() as libc::socklen_t)
}

/// One system call that returns at once.
pub(crate) enum Call<'a> {
    /// socket(2); the result is the new number.
    Socket { family: i32, kind: i32 },
    /// socketpair(2)
    Pair { family: i32, kind: i32, numbers: &'a mut [RawFd; 2] },
    /// bind(2)
    Bind { fd: Fd, address: &'a RawAddress },
    /// listen(2)
    Listen { fd: Fd, backlog: i32 },
    /// connect(2) of a datagram socket
    Associate { fd: Fd, address: &'a RawAddress },
    /// shutdown(2)
    Shutdown { fd: Fd, how: i32 },
    /// getsockname(2)
    Name { fd: Fd, name: &'a mut RawAddress },
    /// getpeername(2)
    PeerName { fd: Fd, name: &'a mut RawAddress },
    /// getsockopt(2) of a number
    Option { fd: Fd, level: i32, name: i32, value: &'a mut i32 },
    /// setsockopt(2) of a number
    SetOption { fd: Fd, level: i32, name: i32, value: i32 },
    /// fcntl(2), `F_DUPFD_CLOEXEC`; the result is the new number.
    Duplicate { fd: Fd },
}

impl Call<'_> {
    /// Asks the kernel.
    ///
    /// # Errors
    /// Those of the system call.
    pub(crate) fn ask_kernel(self) -> io::Result<i32> {
        const ONE: libc::socklen_t = size_of::<i32>() as libc::socklen_t;
        // SAFETY: what is pointed to is borrowed during the call, and as large as its length says.
        let result = unsafe {
            match self {
                Call::Socket { family, kind } => libc::socket(family, kind, 0),
                Call::Pair { family, kind, numbers } => {
                    libc::socketpair(family, kind, 0, numbers.as_mut_ptr())
                }
                Call::Bind { fd, address } => {
                    libc::bind(fd.number(), (&raw const address.0).cast(), address.1)
                }
                Call::Listen { fd, backlog } => libc::listen(fd.number(), backlog),
                Call::Associate { fd, address } => {
                    libc::connect(fd.number(), (&raw const address.0).cast(), address.1)
                }
                Call::Shutdown { fd, how } => libc::shutdown(fd.number(), how),
                Call::Name { fd, name } => {
                    libc::getsockname(fd.number(), (&raw mut name.0).cast(), &mut name.1)
                }
                Call::PeerName { fd, name } => {
                    libc::getpeername(fd.number(), (&raw mut name.0).cast(), &mut name.1)
                }
                Call::Option { fd, level, name, value } => {
                    let (value, mut length) = ((&raw mut *value).cast(), ONE);
                    libc::getsockopt(fd.number(), level, name, value, &mut length)
                }
                Call::SetOption { fd, level, name, value } => {
                    libc::setsockopt(fd.number(), level, name, (&raw const value).cast(), ONE)
                }
                Call::Duplicate { fd } => libc::fcntl(fd.number(), libc::F_DUPFD_CLOEXEC, 3),
            }
        };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
    }
}
