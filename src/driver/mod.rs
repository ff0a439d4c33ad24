//! The seam to the world: operations go down, completions come up. Level 0.
//!
//! Everything that waits for the kernel goes through one `enum`, [`Driver`]; which of its variants a
//! thread has is decided once, at its first use. Knows nothing of greenlets: it takes an [`Entry`],
//! and later says which token has ended, and how.
//!
//! ```text
//!              push, cancel            enter(wait)               reap
//!   op ──▶ Entry (caller's frame) ──▶  Driver  ──▶  kernel  ──▶ Completion { token, result, flags } ──▶ hub
//!
//!   uring/       an SQE per entry, one `io_uring_enter` a round, CQEs
//!   readiness/   tries the system call; EAGAIN: waits for the descriptor, then tries again
//!   sim/         no kernel: sockets in memory, virtual time, faults out of a seed
//! ```
//!
//! - **Kernel holds until completion**: an [`Entry`] that was pushed and answered [`Pushed::Queued`]
//!   stays where it is, with everything its request points to, until its last completion was
//!   reaped: the one without [`MORE`], and, if it was cancelled, as many more as `cancel` said.
//! - **One seam**: no io_uring type and none of a poller leaves its folder.
#![expect(unsafe_code, reason = "passes the caller's promise on")]

mod call;
mod clock;
mod fd;
#[cfg(test)]
mod filter;
pub(crate) mod planted;
mod request;
#[cfg_attr(not(feature = "uring"), allow(dead_code, reason = "some of it is the ring's alone"))]
mod settings;
#[cfg_attr(not(feature = "uring"), allow(dead_code, reason = "some of it is the ring's alone"))]
mod token;
mod waker;

mod readiness;
#[cfg(feature = "sim")]
pub(crate) mod sim;
#[cfg(feature = "uring")]
mod uring;

pub(crate) use call::{Call, RawAddress, no_address};
pub(crate) use clock::TimeStampCounter;
use clock::{last_tick_ns, monotonic_ns, tick_ns};
pub(crate) use fd::Fd;
pub(crate) use readiness::BEYOND_SELECT;
pub(crate) use request::{Entry, Pushed, Request};
pub(crate) use settings::{Capabilities, Kind, Settings};
pub(crate) use token::{Completion, MORE, Token};
pub(crate) use waker::Waker;

use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

/// How long [`Driver::enter`] may stay in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Not at all: submit, and take what is there.
    No,
    /// Until there is a completion.
    ForEver,
    /// Until there is a completion, or [`Driver::now`] has reached this moment (nanoseconds).
    Until(u64),
}

/// What a driver has done since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Entries into the kernel that submit or wait (`io_uring_enter`, `epoll_wait`, `ppoll`).
    pub(crate) enters: u64,
    /// Further system calls on behalf of operations (`recv`, `epoll_ctl`).
    pub(crate) calls: u64,
    pub(crate) pushed: u64,
    pub(crate) completions: u64,
    pub(crate) cancels: u64,
    /// How often the completion queue was too short.
    pub(crate) overflows: u64,
}

/// This thread's way to the kernel.
#[allow(clippy::large_enum_variant, reason = "one per thread; boxed, each call would cost a load")]
pub(crate) enum Driver {
    #[cfg(feature = "uring")]
    Uring(uring::Uring),
    Readiness(readiness::Readiness),
    #[cfg(feature = "sim")]
    Sim(Box<sim::Sim>),
}

macro_rules! each {
    ($driver:expr, $it:ident => $call:expr) => {
        match $driver {
            #[cfg(feature = "uring")]
            Driver::Uring($it) => $call,
            Driver::Readiness($it) => $call,
            #[cfg(feature = "sim")]
            Driver::Sim($it) => $call,
        }
    };
}

impl Driver {
    /// Makes the driver that `settings` name, or the best one that works here; and says in a line
    /// why it is not a better one, if that was left open and refused.
    ///
    /// # Errors
    /// Those of the named kind; those of select where the choice was left open.
    pub(crate) fn new(settings: &Settings) -> io::Result<(Driver, Option<String>)> {
        match settings.kind {
            Some(Kind::Epoll | Kind::Poll | Kind::Select) => {}
            #[cfg(feature = "sim")]
            Some(Kind::Sim) => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "a simulated hub is made by greenlet::sim",
                ));
            }
            #[cfg(feature = "uring")]
            Some(Kind::Uring) => {
                let uring = uring::Uring::new(settings)
                    .map_err(|error| io::Error::new(error.kind(), uring::why_refused(&error)))?;
                return Ok((Driver::Uring(uring), None));
            }
            #[cfg(not(feature = "uring"))]
            Some(Kind::Uring) => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "built without the feature `uring`",
                ));
            }
            #[cfg(feature = "uring")]
            None => match uring::Uring::new(settings) {
                Ok(uring) => return Ok((Driver::Uring(uring), None)),
                Err(error) => {
                    let mut refused = uring::why_refused(&error);
                    let (readiness, why) = readiness::Readiness::new(settings)?;
                    if let Some(why) = why {
                        refused = format!("{refused}; {why}");
                    }
                    return Ok((Driver::Readiness(readiness), Some(refused)));
                }
            },
            #[cfg(not(feature = "uring"))]
            None => {}
        }
        let (readiness, why) = readiness::Readiness::new(settings)?;
        Ok((Driver::Readiness(readiness), why))
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            #[cfg(feature = "uring")]
            Driver::Uring(_) => Kind::Uring,
            Driver::Readiness(readiness) => readiness.kind(),
            #[cfg(feature = "sim")]
            Driver::Sim(_) => Kind::Sim,
        }
    }

    /// Hands an operation over. It may reach the kernel only with the next [`Driver::enter`].
    ///
    /// # Safety
    /// **Kernel holds until completion**: if the answer is [`Pushed::Queued`], the entry and all
    /// that its request points to stay valid and untouched until its last completion was reaped.
    #[inline]
    pub(crate) unsafe fn push(&mut self, entry: &Entry) -> Pushed {
        // SAFETY: forwarded.
        each!(self, driver => unsafe { driver.push(entry) })
    }

    /// Asks for an early end of an entry whose last completion has not been reaped. That completion
    /// still comes, with `-ECANCELED` or with what the operation brought all the same; and before or
    /// after it as many with the tag [`Token::CANCEL`] as are returned.
    #[inline]
    pub(crate) fn cancel(&mut self, entry: &Entry) -> u32 {
        each!(self, driver => driver.cancel(entry))
    }

    /// Answers what never waits.
    ///
    /// # Errors
    /// Those of the system call.
    pub(crate) fn call(&mut self, call: Call<'_>) -> io::Result<i32> {
        match self {
            #[cfg(feature = "sim")]
            Driver::Sim(sim) => sim.call(call),
            _ => call.ask_kernel(),
        }
    }

    /// Closes a descriptor that no pushed entry names any more.
    pub(crate) fn close(&mut self, fd: Fd) -> io::Result<()> {
        match self {
            // A descriptor of the kernel's on the thread of a simulated world, or the other way round.
            #[cfg(feature = "sim")]
            Driver::Sim(_) if !fd.is_simulated() => close_of_kernel(fd),
            #[cfg(feature = "sim")]
            Driver::Sim(_) => each!(self, driver => driver.close(fd)),
            _ if fd.is_simulated() => Err(io::Error::from_raw_os_error(libc::EBADF)),
            _ => each!(self, driver => driver.close(fd)),
        }
    }

    /// Forgets what is known of a descriptor that somebody else will close.
    pub(crate) fn forget(&mut self, fd: Fd) {
        each!(self, driver => driver.forget(fd))
    }

    /// Submits what was pushed, and waits. Returns early for a signal or when the kernel is short
    /// of something that a later round may have; real errors are broken invariants and panic.
    #[inline]
    pub(crate) fn enter(&mut self, wait: Wait) {
        each!(self, driver => driver.enter(wait))
    }

    /// Is there anything to submit or to take? If not, `enter(Wait::No)` would change nothing.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        each!(self, driver => driver.is_due())
    }

    /// Takes the completions that are there. `take` must not call back into the driver.
    #[inline]
    pub(crate) fn reap(&mut self, take: impl FnMut(Completion)) {
        each!(self, driver => driver.reap(take))
    }

    /// The buffer that a `RecvPooled` named: its first byte.
    pub(crate) fn buffer(&self, number: u16) -> *mut u8 {
        each!(self, driver => driver.buffer(number))
    }

    /// Puts a buffer back that a `RecvPooled` named; once for each time.
    pub(crate) fn return_buffer(&mut self, number: u16) {
        each!(self, driver => driver.return_buffer(number))
    }

    /// Nobody will wait for the operations in flight: buffers that the kernel may still write to are never freed.
    pub(crate) fn leave_in_flight(&mut self) {
        #[cfg(feature = "uring")]
        if let Driver::Uring(uring) = self {
            uring.leave_in_flight();
        }
    }

    /// `CLOCK_MONOTONIC`, in nanoseconds; of a simulated world its own clock.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        match self {
            #[cfg(feature = "sim")]
            Driver::Sim(sim) => sim.now(),
            _ => monotonic_ns(),
        }
    }

    /// [`now`](Driver::now), or some microseconds later; cheaper.
    #[inline]
    pub(crate) fn just_now(&self, counter: &TimeStampCounter) -> u64 {
        match self {
            #[cfg(feature = "sim")]
            Driver::Sim(sim) => sim.now(),
            _ => counter.now_or_later(),
        }
    }

    /// A moment that is not before [`now`](Driver::now), nor later by more than [`slack`], for less. Where the
    /// kernel's next tick is late it may be before it, by as much.
    ///
    /// [`slack`]: Driver::slack_ns
    #[inline]
    pub(crate) fn soon(&self, slack_ns: u64) -> u64 {
        match self {
            #[cfg(feature = "sim")]
            Driver::Sim(sim) => sim.now() + slack_ns,
            _ => last_tick_ns() + slack_ns,
        }
    }

    /// How far [`soon`](Driver::soon) may be off; the same for the whole life of the driver.
    pub(crate) fn slack_ns(&self) -> u64 {
        match self {
            #[cfg(feature = "sim")]
            Driver::Sim(_) => 0,
            _ => tick_ns(),
        }
    }

    /// What ends an [`enter`](Driver::enter) from any thread.
    pub(crate) fn waker(&self) -> &Arc<Waker> {
        each!(self, driver => driver.waker())
    }

    /// What others can wait for: readable when `enter` has something to find that came after the last
    /// [`hush`](Driver::hush).
    ///
    /// # Errors
    /// `Unsupported` where there is nothing of the kind; what eventfd(2) says.
    pub(crate) fn pollable(&mut self) -> io::Result<RawFd> {
        each!(self, driver => driver.pollable())
    }

    /// Makes what others wait for unreadable. Says whether something is there all the same.
    pub(crate) fn hush(&mut self) -> bool {
        each!(self, driver => driver.hush())
    }

    /// When an `enter` is due for something of which [`pollable`](Driver::pollable) does not tell.
    pub(crate) fn tries_again_at(&self) -> Option<u64> {
        match self {
            Driver::Readiness(readiness) => readiness.tries_again_at(),
            #[cfg(feature = "uring")]
            Driver::Uring(_) => None,
            #[cfg(feature = "sim")]
            Driver::Sim(_) => None,
        }
    }

    /// Is an `AcceptMany` more than one accept here?
    pub(crate) fn accepts_many(&self) -> bool {
        match self {
            #[cfg(feature = "uring")]
            Driver::Uring(uring) => uring.accepts_many(),
            Driver::Readiness(_) => false,
            #[cfg(feature = "sim")]
            Driver::Sim(sim) => sim.accepts_many(),
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        each!(self, driver => driver.counters())
    }

    /// Do sockets have to be non-blocking (`O_NONBLOCK`) for this driver? Where not, they must block.
    #[inline]
    pub(crate) fn wants_nonblocking(&self) -> bool {
        matches!(self, Driver::Readiness(_))
    }
}

/// Closes a descriptor of the kernel's, of which no driver knows.
#[cfg(feature = "sim")]
fn close_of_kernel(fd: Fd) -> io::Result<()> {
    // SAFETY: its owner asks for it.
    match unsafe { libc::close(fd.number()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

impl fmt::Display for Driver {
    /// The kind, and what of it is in use.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(self, driver => driver.fmt(f))
    }
}
