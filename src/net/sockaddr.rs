//! Addresses as the kernel has them.
#![expect(unsafe_code, reason = "reads and writes the kernel's unions by their family")]

use crate::op::RawAddress;
use std::io;
use std::mem::zeroed;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

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
