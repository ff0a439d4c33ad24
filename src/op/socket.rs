//! Making sockets, their names and options: what never waits.

use super::{Descriptor, NewFd};
use crate::driver::{Call, Fd, RawAddress, no_address};
use crate::hub::hub;
use std::io;
use std::net::Shutdown;

/// What makes sockets that are closed on exec, in the mode that this thread's hub wants.
fn mode() -> i32 {
    libc::SOCK_CLOEXEC | if hub().wants_nonblocking() { libc::SOCK_NONBLOCK } else { 0 }
}

/// Answers what concerns one descriptor: of a simulated world, or the kernel's, whatever hub this is.
fn ask(fd: Fd, call: Call<'_>) -> io::Result<i32> {
    if fd.is_simulated() { hub().call(call) } else { call.ask_kernel() }
}

/// Makes a socket; socket(2).
pub(crate) fn socket(family: i32, kind: i32) -> io::Result<Descriptor> {
    let number = hub().call(Call::Socket { family, kind: kind | mode() })?;
    Ok(Descriptor::adopt_as_is(NewFd::new(number)))
}

/// Makes two that are connected with one another; socketpair(2).
pub(crate) fn pair(family: i32, kind: i32) -> io::Result<[Descriptor; 2]> {
    let mut numbers = [-1; 2];
    hub().call(Call::Pair { family, kind: kind | mode(), numbers: &mut numbers })?;
    Ok(numbers.map(|number| Descriptor::adopt_as_is(NewFd::new(number))))
}

/// Makes a socket of that address; bind(2).
pub(crate) fn bound(address: &RawAddress, kind: i32) -> io::Result<Descriptor> {
    let descriptor = socket(i32::from(address.0.ss_family), kind)?;
    bind(&descriptor, address)?;
    Ok(descriptor)
}

fn bind(descriptor: &Descriptor, address: &RawAddress) -> io::Result<()> {
    ask(descriptor.fd(), Call::Bind { fd: descriptor.fd(), address }).map(drop)
}

/// How a socket is to listen. The default is what std does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListenOptions {
    /// How many connections may wait; `None` for 128, or as many as the system allows for UNIX.
    pub(crate) backlog: Option<u32>,
    pub(crate) reuse_addr: bool,
    pub(crate) reuse_port: bool,
    /// Of several that share a port, the one that takes what comes in on this processor.
    pub(crate) incoming_cpu: Option<usize>,
}

impl Default for ListenOptions {
    fn default() -> ListenOptions {
        ListenOptions { backlog: None, reuse_addr: true, reuse_port: false, incoming_cpu: None }
    }
}

/// Makes a stream socket that listens there; listen(2).
pub(crate) fn listening(address: &RawAddress, options: ListenOptions) -> io::Result<Descriptor> {
    let family = i32::from(address.0.ss_family);
    let descriptor = socket(family, libc::SOCK_STREAM)?;
    let mut backlog = 128;
    if family == libc::AF_UNIX {
        backlog = -1; // as many as the system allows
    } else {
        for (is_wanted, name) in
            [(options.reuse_addr, libc::SO_REUSEADDR), (options.reuse_port, libc::SO_REUSEPORT)]
        {
            if is_wanted {
                set_option(&descriptor, libc::SOL_SOCKET, name, 1)?;
            }
        }
        if let Some(cpu) = options.incoming_cpu {
            let cpu = i32::try_from(cpu).unwrap_or(i32::MAX);
            match set_option(&descriptor, libc::SOL_SOCKET, libc::SO_INCOMING_CPU, cpu) {
                // It only makes things faster, and is not known everywhere (not to emulators).
                Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => {}
                set => set?,
            }
        }
    }
    if let Some(wanted) = options.backlog {
        backlog = i32::try_from(wanted).unwrap_or(i32::MAX);
    }
    bind(&descriptor, address)?;
    ask(descriptor.fd(), Call::Listen { fd: descriptor.fd(), backlog })?;
    Ok(descriptor)
}

/// Chooses the peer of a datagram socket; connect(2).
pub(crate) fn associate(descriptor: &Descriptor, address: &RawAddress) -> io::Result<()> {
    descriptor.check()?;
    ask(descriptor.fd(), Call::Associate { fd: descriptor.fd(), address }).map(drop)
}

/// shutdown(2)
pub(crate) fn shutdown(descriptor: &Descriptor, how: Shutdown) -> io::Result<()> {
    descriptor.check()?;
    let how = match how {
        Shutdown::Read => libc::SHUT_RD,
        Shutdown::Write => libc::SHUT_WR,
        Shutdown::Both => libc::SHUT_RDWR,
    };
    ask(descriptor.fd(), Call::Shutdown { fd: descriptor.fd(), how }).map(drop)
}

/// The address on this side; getsockname(2).
pub(crate) fn local_name(descriptor: &Descriptor) -> io::Result<RawAddress> {
    descriptor.check()?;
    let mut name = no_address();
    ask(descriptor.fd(), Call::Name { fd: descriptor.fd(), name: &mut name })?;
    Ok(name)
}

/// The address of the peer; getpeername(2).
pub(crate) fn peer_name(descriptor: &Descriptor) -> io::Result<RawAddress> {
    descriptor.check()?;
    peer_name_of(descriptor.fd())
}

pub(super) fn peer_name_of(fd: Fd) -> io::Result<RawAddress> {
    let mut name = no_address();
    ask(fd, Call::PeerName { fd, name: &mut name })?;
    Ok(name)
}

/// An option that is a number; getsockopt(2).
pub(crate) fn option(descriptor: &Descriptor, level: i32, name: i32) -> io::Result<i32> {
    descriptor.check()?;
    let mut value = 0;
    ask(descriptor.fd(), Call::Option { fd: descriptor.fd(), level, name, value: &mut value })?;
    Ok(value)
}

/// Sets an option that is a number; setsockopt(2).
pub(crate) fn set_option(
    descriptor: &Descriptor,
    level: i32,
    name: i32,
    value: i32,
) -> io::Result<()> {
    descriptor.check()?;
    ask(descriptor.fd(), Call::SetOption { fd: descriptor.fd(), level, name, value }).map(drop)
}

/// Takes the error that the socket has stored.
pub(crate) fn take_error(descriptor: &Descriptor) -> io::Result<Option<io::Error>> {
    let errno = option(descriptor, libc::SOL_SOCKET, libc::SO_ERROR)?;
    Ok((errno != 0).then(|| io::Error::from_raw_os_error(errno)))
}

/// Another name for the same file; fcntl(2).
pub(crate) fn duplicate(descriptor: &Descriptor) -> io::Result<Descriptor> {
    descriptor.check()?;
    let number = ask(descriptor.fd(), Call::Duplicate { fd: descriptor.fd() })?;
    Ok(Descriptor::adopt_as_is(NewFd::new(number)))
}
