//! Addresses of sockets, out of the kernel's form and back.
#![expect(unsafe_code, reason = "reads and writes the kernel's unions by their family")]

use crate::driver::{RawAddress, no_address};
use std::mem::offset_of;

/// What a socket is called. Its order is that of a map, nothing more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    V4 {
        ip: [u8; 4],
        port: u16,
    },
    V6 {
        ip: [u8; 16],
        port: u16,
    },
    /// A path, or an abstract name with a zero before it; empty: none.
    Unix(Vec<u8>),
}

const PATH: usize = offset_of!(libc::sockaddr_un, sun_path);

impl Name {
    /// The name of a socket that has none yet.
    pub(super) fn none(family: i32) -> Name {
        match family {
            libc::AF_INET => Name::V4 { ip: [0; 4], port: 0 },
            libc::AF_INET6 => Name::V6 { ip: [0; 16], port: 0 },
            _ => Name::Unix(Vec::new()),
        }
    }

    /// # Safety
    /// - `length` bytes of an address lie there.
    pub(super) unsafe fn read(
        address: *const libc::sockaddr,
        length: libc::socklen_t,
    ) -> Option<Name> {
        let mut raw = no_address();
        let length = (length as usize).min(raw.1 as usize);
        // SAFETY: the caller's promise; it fits.
        unsafe {
            std::ptr::copy_nonoverlapping(
                address.cast::<u8>(),
                (&raw mut raw.0).cast::<u8>(),
                length,
            );
        }
        raw.1 = length as libc::socklen_t;
        Name::decode(&raw)
    }

    pub(super) fn decode(address: &RawAddress) -> Option<Name> {
        let length = address.1 as usize;
        match i32::from(address.0.ss_family) {
            libc::AF_INET if length >= size_of::<libc::sockaddr_in>() => {
                // SAFETY: the family and the length say what it is.
                let raw = unsafe { &*(&raw const address.0).cast::<libc::sockaddr_in>() };
                let ip = raw.sin_addr.s_addr.to_ne_bytes();
                Some(Name::V4 { ip, port: u16::from_be(raw.sin_port) })
            }
            libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => {
                // SAFETY: as above.
                let raw = unsafe { &*(&raw const address.0).cast::<libc::sockaddr_in6>() };
                Some(Name::V6 { ip: raw.sin6_addr.s6_addr, port: u16::from_be(raw.sin6_port) })
            }
            libc::AF_UNIX if length >= PATH => {
                // SAFETY: the storage is as large, and any bytes are valid.
                let raw = unsafe { &*(&raw const address.0).cast::<libc::sockaddr_un>() };
                let mut path: Vec<u8> =
                    raw.sun_path.iter().take(length - PATH).map(|byte| *byte as u8).collect();
                if path.first() != Some(&0) {
                    path.truncate(path.iter().position(|byte| *byte == 0).unwrap_or(path.len()));
                }
                Some(Name::Unix(path))
            }
            _ => None,
        }
    }

    pub(super) fn encode(&self) -> RawAddress {
        let mut address = no_address();
        let length = match self {
            Name::V4 { ip, port } => {
                // SAFETY: the storage has room for every kind of address, and is aligned for it.
                let raw = unsafe { &mut *(&raw mut address.0).cast::<libc::sockaddr_in>() };
                raw.sin_family = libc::AF_INET as libc::sa_family_t;
                raw.sin_port = port.to_be();
                raw.sin_addr.s_addr = u32::from_ne_bytes(*ip);
                size_of::<libc::sockaddr_in>()
            }
            Name::V6 { ip, port } => {
                // SAFETY: as above.
                let raw = unsafe { &mut *(&raw mut address.0).cast::<libc::sockaddr_in6>() };
                raw.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                raw.sin6_port = port.to_be();
                raw.sin6_addr.s6_addr = *ip;
                size_of::<libc::sockaddr_in6>()
            }
            Name::Unix(path) => {
                // SAFETY: as above.
                let raw = unsafe { &mut *(&raw mut address.0).cast::<libc::sockaddr_un>() };
                raw.sun_family = libc::AF_UNIX as libc::sa_family_t;
                for (to, from) in raw.sun_path.iter_mut().zip(path) {
                    *to = *from as libc::c_char;
                }
                let ends_with_zero = path.first().is_some_and(|first| *first != 0);
                PATH + path.len() + usize::from(ends_with_zero)
            }
        };
        address.1 = length as libc::socklen_t;
        address
    }

    pub(super) fn port(&self) -> u16 {
        match self {
            Name::V4 { port, .. } | Name::V6 { port, .. } => *port,
            Name::Unix(_) => 0,
        }
    }

    pub(super) fn with_port(&self, port: u16) -> Name {
        match self {
            Name::V4 { ip, .. } => Name::V4 { ip: *ip, port },
            Name::V6 { ip, .. } => Name::V6 { ip: *ip, port },
            Name::Unix(_) => self.clone(),
        }
    }

    /// That of every interface, with the same port.
    pub(super) fn everywhere(&self) -> Name {
        match self {
            Name::V4 { port, .. } => Name::V4 { ip: [0; 4], port: *port },
            Name::V6 { port, .. } => Name::V6 { ip: [0; 16], port: *port },
            Name::Unix(_) => self.clone(),
        }
    }

    /// What a packet that is sent from, or to, every interface shows: the loopback one.
    pub(super) fn somewhere(&self) -> Name {
        if *self != self.everywhere() {
            return self.clone();
        }
        match self {
            Name::V4 { port, .. } => Name::V4 { ip: [127, 0, 0, 1], port: *port },
            Name::V6 { port, .. } => Name::V6 { ip: 1u128.to_be_bytes(), port: *port },
            Name::Unix(_) => self.clone(),
        }
    }
}
