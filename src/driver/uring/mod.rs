//! io_uring: an entry becomes an SQE, one `io_uring_enter` a round submits all of them and waits.
//!
//! Level 0, within `driver`. Uses libc, memmap2 and the `io-uring` crate, none of whose types leave
//! this folder; used by the front page of `driver`. Knows neither hub nor greenlets.
//!
//! ```text
//!  setup    flags from best to plain, size from wanted to small      submit   entry -> SQE; cancel; SQ full
//!  probe    what this kernel offers, as capabilities                 enter    the system call, its errors
//!  refusal  why there is no ring, in words                           reap     CQE -> completion
//!  buffers  the pool behind `RecvPooled`                             attempt  poll, then the system call
//!  wake     messages from threads that end a wait                    polls    whom a close has to end
//! ```
//!
//! - **User data names the entry**: `user_data` is the address of an [`Entry`] under
//!   `Token::OPERATION` or `Token::CANCEL`, or `Token::nobody()`, or `Token::WAKE`. So a CQE leads to its entry, as
//!   long as **Kernel holds until completion** keeps that in place, and from there to the token.
//! - **One in flight**: of each entry the kernel has at most one SQE besides cancellations. It is the
//!   operation, or a poll that stands in for it; the entry's `progress` says which.
//! - **Nothing is lost for want of room**: a full SQ is submitted at once, a CQ in the way is moved
//!   to `spilled`, and the kernel keeps what does not fit its CQ (`IORING_FEAT_NODROP`).
//!
//! Deliberately absent: SQPOLL, direct descriptors, registered buffers, links and kernel timers. All
//! were measured on loopback and brought nothing, or cost more than they saved.
#![expect(unsafe_code, reason = "reads the rings it maps, and closes descriptors")]

mod attempt;
mod buffers;
mod enter;
mod polls;
mod probe;
mod reap;
mod refusal;
mod setup;
mod submit;
mod wake;

#[cfg(test)]
mod tests;

pub(super) use refusal::why_refused;
pub(crate) use wake::Mark;
use wake::Turns;

use crate::driver::{Capabilities, Counters, Entry, Fd, Settings, Waker};
use buffers::Pool;
use enter::Door;
use io_uring::{IoUring, cqueue, types};
use polls::Polls;
use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::null;
use std::sync::Arc;

/// A thread's ring.
pub(crate) struct Uring {
    /// First, so that the ring goes before the memory that it was told of.
    ring: IoUring,
    door: Door,
    /// What the kernel offers and nobody disabled.
    capabilities: Capabilities,
    /// `IORING_RECVSEND_POLL_FIRST`, or nothing.
    poll_first: u16,
    counters: Counters,
    /// Completions that had to leave the CQ before their time; they are the oldest.
    spilled: Vec<cqueue::Entry>,
    /// Entries that `reap` has to submit once more, linked by `next`.
    again: *const Entry,
    polls: Polls,
    /// For TIMEOUT entries, where a time-out cannot be an argument. The kernel reads it when it takes
    /// the SQE, which may be in a later call.
    timeout: Box<types::Timespec>,
    /// Made at the first `RecvPooled`.
    pool: Option<Pool>,
    /// How many buffers, and their bytes.
    pool_size: (u16, u32),
    waker: Arc<Waker>,
    /// Made for those who wait outside.
    turns: Option<Turns>,
}

impl Uring {
    /// Makes a ring as large and with as many flags as the kernel allows.
    ///
    /// # Errors
    /// Those of io_uring_setup(2) and of the registrations that nothing works without;
    /// `Unsupported` if the kernel is too old, or if all of it is disabled.
    pub(super) fn new(settings: &Settings) -> io::Result<Uring> {
        let unsupported = |why| Err(io::Error::new(io::ErrorKind::Unsupported, why));
        if settings.disabled.has(Capabilities::URING) {
            return unsupported("io_uring is disabled by the settings");
        }
        let (ring, flags) = setup::make(settings)?;
        if !ring.params().is_feature_nodrop() || !ring.params().is_feature_fast_poll() {
            return unsupported("this kernel's io_uring is older than 5.7");
        }
        let mut capabilities = flags.with(probe::offered(&ring)?).without(settings.disabled);
        let door = Door::new(&ring, &mut capabilities);
        setup::limit_workers(&ring);
        if !capabilities.has(Capabilities::RECV) {
            // Without the operation nobody would take buffers out of the ring of them.
            capabilities = capabilities.without(Capabilities::BUFFER_RING);
        }
        let poll_first = match capabilities.has(Capabilities::POLL_FIRST) {
            true => submit::POLL_FIRST,
            false => 0,
        };
        let waker = wake::waker(ring.as_raw_fd(), capabilities)?;
        let mut uring = Uring {
            ring,
            door,
            capabilities,
            poll_first,
            counters: Counters::default(),
            spilled: Vec::new(),
            again: null(),
            polls: Polls::default(),
            timeout: Box::new(types::Timespec::new()),
            pool: None,
            pool_size: (settings.pool_buffers, settings.pool_buffer_bytes),
            waker,
            turns: None,
        };
        uring.listen();
        Ok(uring)
    }

    /// Closes a descriptor. Until it is submitted an SQE names the number only, which may soon be
    /// another file's: so those go first. What holds the file must go, too: those who poll it by a name of
    /// their own.
    pub(super) fn close(&mut self, fd: Fd) -> io::Result<()> {
        self.abandon(fd);
        self.submit();
        // SAFETY: the caller owned this descriptor and gives it up.
        match unsafe { libc::close(fd.number()) } {
            0 => Ok(()),
            _ => match io::Error::last_os_error() {
                // Linux has freed the number before anything could be interrupted; close(2).
                error if error.raw_os_error() == Some(libc::EINTR) => Ok(()),
                error => Err(error),
            },
        }
    }

    /// Nothing is known of descriptors here.
    pub(super) fn forget(&mut self, _fd: Fd) {}

    /// Is there anything to submit or to take?
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.pending() != 0 || self.has_completions() || self.is_flagged()
    }

    /// The first byte of a buffer of the pool.
    pub(super) fn buffer(&self, number: u16) -> *mut u8 {
        self.pool.as_ref().expect("a completion named this buffer").buffer(number)
    }

    /// Puts a buffer back.
    pub(super) fn return_buffer(&mut self, number: u16) {
        self.pool.as_mut().expect("a completion named this buffer").put_back(number);
    }

    /// Nobody will wait for the operations in flight: what they may still write to, of ours, stays mapped.
    pub(super) fn leave_in_flight(&mut self) {
        std::mem::forget(self.pool.take());
    }

    pub(super) fn accepts_many(&self) -> bool {
        self.capabilities.has(Capabilities::ACCEPT.with(Capabilities::MULTISHOT_ACCEPT))
    }

    pub(super) fn waker(&self) -> &Arc<Waker> {
        &self.waker
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    /// SQEs that the kernel has not taken yet.
    #[inline]
    fn pending(&self) -> u32 {
        // SAFETY: no other view of the submission queue lives longer than an expression.
        unsafe { self.ring.submission_shared() }.len() as u32
    }

    /// Are there completions that need no system call?
    #[inline]
    fn has_completions(&self) -> bool {
        // SAFETY: no other view of the completion queue exists outside `reap` and `spill`, which hold
        // `self`.
        !self.spilled.is_empty() || !unsafe { self.ring.completion_shared() }.is_empty()
    }

    /// Does the kernel keep completions that only a system call brings? Either the CQ was full, or
    /// the work that ends operations waits for us (`IORING_SETUP_TASKRUN_FLAG`).
    #[inline]
    fn is_flagged(&self) -> bool {
        // SAFETY: as in `pending`.
        let queue = unsafe { self.ring.submission_shared() };
        queue.taskrun() || queue.cq_overflow()
    }
}

impl Drop for Uring {
    /// The kernel cancels and forgets what is still in flight, but some time after the descriptor
    /// is closed: whoever has not waited for all of it calls [`leave_in_flight`](Uring::leave_in_flight).
    fn drop(&mut self) {
        if let Waker::Ring(mark) = &*self.waker {
            mark.retire();
        }
        self.door.unregister();
    }
}

impl fmt::Display for Uring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = self.ring.params();
        let (submissions, completions) = (parameters.sq_entries(), parameters.cq_entries());
        write!(f, "io_uring, {submissions} + {completions} entries: {}", self.capabilities)
    }
}
