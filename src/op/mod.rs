//! How a greenlet waits for the kernel: one file for each operation. Level 3.
//!
//! Uses `hub` and `driver`'s requests; used by `net`. [`perform`] is the one way: it hands a request to the
//! hub, parks until its last completion, and decides what an interruption means.
//!
//! ```text
//!   recv(&descriptor, buf) ──▶ perform ──▶ hub.begin ──▶ park … woken
//!                                 │             ├─ result ≥ 0, or an error of its own ──▶ returned
//!       interrupt, limit, close ──┴─▶ cancel ──▶└─ cancelled: raise / TimedOut / closed
//! ```
//!
//! - **Kernel holds until completion**: [`perform`] returns, or raises, only after the last completion
//!   of the operation. So buffers may be borrowed, and may lie on the stack.
//! - **A result wins**: an operation that brought something when it was interrupted returns that; the
//!   interrupt is raised at the next wait. No byte and no connection is lost.
//! - **Closed when nobody names it**: `descriptor.rs`.
#![expect(unsafe_code, reason = "hands buffers to the kernel")]

mod accept;
mod arrivals;
mod connect;
mod datagram;
mod descriptor;
mod message;
mod new_fd;
mod poll;
mod recv;
mod send;
mod socket;
mod turn;

pub(crate) use accept::accept;
pub(crate) use arrivals::Incoming;
pub(crate) use connect::connect;
pub(crate) use datagram::{recv_datagram, recv_from, send_datagram};
pub(crate) use descriptor::{Descriptor, Direction};
pub(crate) use message::{recv_vectored, send_vectored};
pub(crate) use new_fd::NewFd;
pub(crate) use poll::{poll, poll_foreign, poll_now};
pub use recv::PooledBytes;
pub(crate) use recv::{recv, recv_pooled};
pub(crate) use send::send;
pub(crate) use socket::{
    ListenOptions, associate, bound, duplicate, listening, local_name, option, pair, peer_name,
    set_option, shutdown, socket, take_error,
};

use crate::driver::planted::{self, Bug};
use crate::driver::{BEYOND_SELECT, Request};
use crate::greenlet::{Block, current_block};
use crate::hub::{Deadline, Hub, Operation, hub, set_waits_for};
use descriptor::InFlight;
use std::io;
use std::pin::pin;

/// What an operation brought.
pub(crate) struct Answer {
    /// What the system call returned: not negative.
    pub(crate) result: i32,
    /// The buffer of the pool that was filled.
    pub(crate) buffer: Option<u16>,
}

/// Why an operation was cancelled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Interrupt,
    Limit,
    Closed,
}

/// Hands `request` to the kernel and parks until it has ended; `limit_ns` from now it is given up.
///
/// # Errors
/// Those of the system call; `TimedOut`; what a closed descriptor says.
///
/// # Safety
/// - What the request points to is valid until this returns or unwinds.
/// - The request names `descriptor`, and no other.
#[inline]
pub(crate) unsafe fn perform(
    descriptor: &Descriptor,
    direction: Direction,
    request: Request,
    limit_ns: Option<u64>,
) -> io::Result<Answer> {
    let hub = hub();
    let me = current_block();
    hub.raise_pending();
    descriptor.admit(direction)?;
    let mut end = None; // of the limit, once there was something to wait for
    loop {
        let mut operation = pin!(Operation::new(request, me));
        hub.begin(operation.as_mut());
        let cause = if operation.is_over() {
            // What a signal has ended begins anew, before anybody else may begin the like.
            if operation.result() != -libc::EINTR {
                hub.spend_inline_end();
            }
            None
        } else {
            wait(hub, me, descriptor, direction, &operation, limit_ns, &mut end)
        };
        let forgets = planted::is(Bug::ForgetTheResult) && cause.is_some();
        let result = if forgets { -libc::ECANCELED } else { operation.result() };
        if result >= 0 {
            return Ok(Answer { result, buffer: operation.buffer() });
        }
        match (-result, cause) {
            // Who closes cancels, too; both answers may have come before we could run and see it.
            (libc::ECANCELED | libc::EINTR, Some(Cause::Closed)) | (libc::ECANCELED, None) => {
                return Err(descriptor::closed());
            }
            (libc::ECANCELED | libc::EINTR, Some(Cause::Limit)) => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // It was interrupted; or a signal arrived before anything was transferred, and nobody asked us to
            // stop: but whoever interrupts us by now finds us ready already, and nobody would wake us again.
            (libc::ECANCELED | libc::EINTR, Some(Cause::Interrupt)) | (libc::EINTR, None) => {
                hub.raise_pending();
                // Nothing is to be raised any more: it was a limit that another greenlet has cancelled since.
                descriptor.check()?;
            }
            (errno, _) => return Err(error(errno)),
        }
    }
}

/// Parks until the operation is over, cancelling it if it is to be given up; says why it was.
#[inline]
fn wait(
    hub: &Hub,
    me: &Block,
    descriptor: &Descriptor,
    direction: Direction,
    operation: &Operation,
    limit_ns: Option<u64>,
    end: &mut Option<u64>,
) -> Option<Cause> {
    let in_flight = InFlight::new(operation, direction);
    // SAFETY: taken out below, before this frame is left; no park unwinds.
    unsafe { descriptor.enter(&in_flight) };
    set_waits_for(me, operation.name());
    let mut cause = None;
    match limit_ns {
        None => wait_interruptible(hub, me, operation, &in_flight, &mut cause, || false),
        Some(limit_ns) => {
            let end = *end.get_or_insert_with(|| hub.moment_ns(limit_ns));
            let deadline = Deadline::new(me);
            // SAFETY: taken back below; no park unwinds.
            unsafe { hub.set_deadline(&deadline, end) };
            let has_passed = || deadline.has_passed();
            wait_interruptible(hub, me, operation, &in_flight, &mut cause, has_passed);
            hub.take_back(&deadline);
        }
    }
    descriptor.leave(&in_flight);
    cause
}

#[inline(always)]
fn wait_interruptible(
    hub: &Hub,
    me: &Block,
    operation: &Operation,
    in_flight: &InFlight,
    cause: &mut Option<Cause>,
    has_passed: impl Fn() -> bool,
) {
    loop {
        hub.park();
        hub.prefetch_next();
        if operation.is_over() {
            return;
        }
        if cause.is_none() {
            *cause = if in_flight.is_closed() {
                Some(Cause::Closed)
            } else if hub.interrupted(me).is_some() {
                Some(Cause::Interrupt)
            } else if has_passed() {
                Some(Cause::Limit)
            } else {
                None
            };
        }
        if cause.is_some() {
            hub.cancel(operation);
            if planted::is(Bug::SkipTheWait) {
                return;
            }
        }
    }
}

/// The error of an operation, which is that of its system call.
#[cold]
fn error(errno: i32) -> io::Error {
    match errno {
        BEYOND_SELECT => io::Error::new(
            io::ErrorKind::Unsupported,
            "select cannot wait for descriptors from 1024 (FD_SETSIZE) on; GREENLET_HUB=poll can",
        ),
        errno => io::Error::from_raw_os_error(errno),
    }
}
