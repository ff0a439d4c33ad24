//! What this kernel's io_uring can do.

use super::wake;
use crate::driver::Capabilities;
use io_uring::{IoUring, Probe, opcode};
use std::io;

/// The operations that have alternatives, by their numbers.
const OPERATIONS: [(u8, Capabilities); 8] = [
    (opcode::Accept::CODE, Capabilities::ACCEPT),
    (opcode::Connect::CODE, Capabilities::CONNECT),
    (opcode::Recv::CODE, Capabilities::RECV),
    (opcode::Send::CODE, Capabilities::SEND),
    (opcode::RecvMsg::CODE, Capabilities::RECVMSG),
    (opcode::SendMsg::CODE, Capabilities::SENDMSG),
    (opcode::Read::CODE, Capabilities::READ),
    (opcode::Write::CODE, Capabilities::WRITE),
];

/// Came with 5.19, as did what has no mark of its own.
const SINCE_5_19: Capabilities =
    Capabilities::MULTISHOT_ACCEPT.with(Capabilities::BUFFER_RING).with(Capabilities::POLL_FIRST);

/// Asks the kernel. The flags of the set-up are not among the answers: that they were taken is.
///
/// # Errors
/// Those of io_uring_register(2): a sandbox may allow rings and nothing that is done with them.
pub(super) fn offered(ring: &IoUring) -> io::Result<Capabilities> {
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    let mut offered = Capabilities::URING.with(Capabilities::REGISTERED_RING);
    for (code, capability) in OPERATIONS {
        if probe.is_supported(code) {
            offered = offered.with(capability);
        }
    }
    // Flags of single operations cannot be asked for; SOCKET came with the same version.
    if probe.is_supported(opcode::Socket::CODE) {
        offered = offered.with(SINCE_5_19);
    }
    // 5.11 says that it has it, but is not trusted before 5.15, which brought LINKAT.
    if ring.params().is_feature_ext_arg() && probe.is_supported(opcode::LinkAt::CODE) {
        offered = offered.with(Capabilities::EXT_ARG);
    }
    if wake::takes_messages() {
        offered = offered.with(Capabilities::SYNC_MSG_RING);
    }
    if ring.params().is_feature_no_iowait() {
        offered = offered.with(Capabilities::NO_IOWAIT);
    }
    Ok(offered)
}
