//! Addresses as the kernel has them.
#![expect(unsafe_code, reason = "reads and writes the kernel's unions by their family")]

use crate::driver::RawAddress;
use std::ffi::OsStr;
use std::io;
use std::mem::{offset_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr as UnixSocketAddr;

/// What `make` gives for the first of the addresses for which it works.
///
/// # Errors
/// That of the last one.
pub(super) fn first<A: ToSocketAddrs, R>(
    addresses: A,
    mut make: impl FnMut(&SocketAddr) -> io::Result<R>,
) -> io::Result<R> {
    let mut last = None;
    for address in addresses.to_socket_addrs()? {
        match make(&address) {
            Ok(made) => return Ok(made),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any addresses")
    }))
}

/// An internet address for the kernel, and its length.
pub(super) fn encode(address: &SocketAddr) -> RawAddress {
    // SAFETY: all zero is a valid sockaddr_storage.
    let mut storage: libc::sockaddr_storage = unsafe { zeroed() };
    let length = match address {
        SocketAddr::V4(address) => {
            let raw = (&raw mut storage).cast::<libc::sockaddr_in>();
            // SAFETY: the storage has room for every kind of address, and is aligned for it.
            unsafe {
                (*raw).sin_family = libc::AF_INET as libc::sa_family_t;
                (*raw).sin_port = address.port().to_be();
                (*raw).sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
            }
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(address) => {
            let raw = (&raw mut storage).cast::<libc::sockaddr_in6>();
            // SAFETY: as above.
            unsafe {
                (*raw).sin6_family = libc::AF_INET6 as libc::sa_family_t;
                (*raw).sin6_port = address.port().to_be();
                (*raw).sin6_addr.s6_addr = address.ip().octets();
                (*raw).sin6_flowinfo = address.flowinfo();
                (*raw).sin6_scope_id = address.scope_id();
            }
            size_of::<libc::sockaddr_in6>()
        }
    };
    (storage, length as libc::socklen_t)
}

/// An internet address from the kernel.
pub(super) fn decode(address: &RawAddress) -> io::Result<SocketAddr> {
    let (storage, length) = (&address.0, address.1 as usize);
    match i32::from(storage.ss_family) {
        libc::AF_INET if length >= size_of::<libc::sockaddr_in>() => {
            // SAFETY: the family and the length say what it is.
            let raw = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
            Ok(SocketAddrV4::new(ip, u16::from_be(raw.sin_port)).into())
        }
        libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => {
            // SAFETY: as above.
            let raw = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
            let port = u16::from_be(raw.sin6_port);
            Ok(SocketAddrV6::new(ip, port, raw.sin6_flowinfo, raw.sin6_scope_id).into())
        }
        family => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("not an internet address: family {family}, {length} bytes"),
        )),
    }
}

const PATH: usize = offset_of!(libc::sockaddr_un, sun_path);

/// The address of a UNIX socket for the kernel, and its length.
pub(super) fn encode_unix(address: &UnixSocketAddr) -> RawAddress {
    // A path ends with a zero, an abstract name begins with one, and no name is nothing at all.
    let path = address.as_pathname().map(|path| path.as_os_str().as_bytes());
    let (skip, name) = match (path, address.as_abstract_name()) {
        (Some(path), _) => (0, path),
        (None, Some(name)) => (1, name),
        (None, None) => (0, &[][..]),
    };
    let named = path.is_some() || address.as_abstract_name().is_some();
    // SAFETY: all zero is a valid sockaddr_storage.
    let mut storage: libc::sockaddr_storage = unsafe { zeroed() };
    let raw = (&raw mut storage).cast::<libc::sockaddr_un>();
    // SAFETY: the storage has room for every kind of address, and is aligned for it.
    let raw = unsafe { &mut *raw };
    raw.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in raw.sun_path[skip..].iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    (storage, (PATH + name.len() + usize::from(named)) as libc::socklen_t)
}

/// The address of a UNIX socket from the kernel.
pub(super) fn decode_unix(address: &RawAddress) -> io::Result<UnixSocketAddr> {
    let (storage, length) = (&address.0, address.1 as usize);
    let unnamed = || UnixSocketAddr::from_pathname("");
    if length < PATH {
        return unnamed();
    }
    // SAFETY: the storage is as large, and any bytes are valid.
    let raw = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_un>() };
    // The kernel counts a zero behind a path that fills its field.
    let name: Vec<u8> = raw.sun_path.iter().take(length - PATH).map(|byte| *byte as u8).collect();
    match name.split_first() {
        Some((0, name)) => UnixSocketAddr::from_abstract_name(name),
        _ => {
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            let path = OsStr::from_bytes(&name[..end]);
            // std has no room for a path without a zero behind it, the kernel has.
            UnixSocketAddr::from_pathname(path).or_else(|_| unnamed())
        }
    }
}
