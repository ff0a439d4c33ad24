//! connect(2)
#![expect(unsafe_code, reason = "hands an address to the kernel")]

use super::{Descriptor, Direction, RawAddress, perform};
use crate::driver::Request;
use std::io;

/// Connects a socket; parks until the other side has answered.
pub(crate) fn connect(
    descriptor: &Descriptor,
    address: &RawAddress,
    limit_ns: Option<u64>,
) -> io::Result<()> {
    descriptor.fit()?;
    let (address, length) = (&address.0, address.1);
    assert!(length as usize <= size_of::<libc::sockaddr_storage>());
    let address = (&raw const *address).cast();
    let request = Request::Connect { fd: descriptor.fd(), address, length };
    // SAFETY: the address is borrowed until this returns, and as long as its storage.
    unsafe { perform(descriptor, Direction::Write, request, limit_ns)? };
    Ok(())
}
