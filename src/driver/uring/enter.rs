//! The system call that submits and waits, and what each of its errors means.
#![expect(unsafe_code, reason = "io_uring_enter(2) and io_uring_register(2)")]

use super::Uring;
use crate::driver::{Capabilities, Token, Wait, monotonic_ns};
use io_uring::{EnterFlags, IoUring, opcode, types};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::{from_mut, from_ref, null};
use std::thread;
use std::time::Duration;

/// How long to stay away when the kernel has no memory for us.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(1);

/// Whoever waits longer looks again then: the kernel counts on from its clock, in 63 bits of nanoseconds.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Where the ring is entered: the crate's `Submitter` forgets a registered ring between two calls.
pub(super) struct Door {
    /// The descriptor, or the index under which it is registered with this thread.
    number: RawFd,
    descriptor: RawFd,
    /// What every call has.
    flags: EnterFlags,
}

/// `struct io_uring_getevents_arg`.
#[repr(C)]
#[derive(Default)]
struct WaitArgument {
    signal_mask: u64,
    signal_mask_bytes: u32,
    min_wait_us: u32,
    timeout: u64,
}

/// `struct io_uring_rsrc_update`.
#[repr(C)]
struct RingUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

const REGISTER_RING_FDS: libc::c_uint = 20;
const UNREGISTER_RING_FDS: libc::c_uint = 21;

/// What is to be done after `io_uring_enter` failed.
enum Failure {
    /// `EINTR`: a signal, before anything was submitted. `ETIME`: the moment has come. The caller
    /// looks at the clock and at its signals.
    Return,
    /// `EBUSY`: completions overflowed and the CQ has to be emptied first (before 5.19). `EAGAIN`: no
    /// memory for a request; those in flight give some back.
    Shortage,
}

impl Failure {
    fn of(error: &io::Error) -> Failure {
        match error.raw_os_error() {
            Some(libc::EINTR | libc::ETIME) => Failure::Return,
            Some(libc::EBUSY | libc::EAGAIN) => Failure::Shortage,
            // A completion was dropped, for want of memory to keep it: somebody would wait for ever.
            Some(libc::EBADR) => panic!("io_uring lost a completion: out of memory"),
            // A forked child, or another thread, uses a ring that is not its own (`EEXIST`, `EBADF`,
            // `EINVAL`), or there is a mistake in this folder.
            _ => panic!("io_uring_enter failed: {error}"),
        }
    }
}

impl Door {
    /// Registers the ring's descriptor with this thread, if it can be (5.18).
    pub(super) fn new(ring: &IoUring, capabilities: &mut Capabilities) -> Door {
        let descriptor = ring.as_raw_fd();
        let mut door = Door { number: descriptor, descriptor, flags: EnterFlags::empty() };
        if capabilities.has(Capabilities::NO_IOWAIT) {
            door.flags |= EnterFlags::NO_IOWAIT;
        }
        if capabilities.has(Capabilities::REGISTERED_RING) {
            let mut update = RingUpdate { offset: u32::MAX, reserved: 0, data: descriptor as u64 };
            if door.register(REGISTER_RING_FDS, &mut update) == 1 {
                door.number = update.offset as RawFd;
                door.flags |= EnterFlags::REGISTERED_RING;
            } else {
                // Too old, or this thread has its sixteen already.
                *capabilities = capabilities.without(Capabilities::REGISTERED_RING);
            }
        }
        door
    }

    /// Takes the registration back: it would keep the ring alive until the thread ends.
    pub(super) fn unregister(&mut self) {
        if self.flags.contains(EnterFlags::REGISTERED_RING) {
            let mut update = RingUpdate { offset: self.number as u32, reserved: 0, data: 0 };
            self.register(UNREGISTER_RING_FDS, &mut update);
            self.flags.remove(EnterFlags::REGISTERED_RING);
            self.number = self.descriptor;
        }
    }

    fn register(&self, what: libc::c_uint, update: &mut RingUpdate) -> libc::c_long {
        let register = libc::SYS_io_uring_register;
        // SAFETY: both registrations read, and the first one writes, one such record.
        unsafe { libc::syscall(register, self.descriptor, what, from_mut(update), 1) }
    }

    /// io_uring_enter(2): how many SQEs were taken.
    #[inline]
    fn enter(
        &self,
        submit: u32,
        wait_for: u32,
        flags: EnterFlags,
        timeout: Option<&types::Timespec>,
    ) -> io::Result<u32> {
        let mut flags = self.flags | flags;
        let mut argument = WaitArgument::default();
        let (argument, bytes) = match timeout {
            Some(timeout) => {
                flags |= EnterFlags::EXT_ARG;
                argument.timeout = from_ref(timeout) as u64;
                (from_ref(&argument), size_of::<WaitArgument>())
            }
            None => (null(), 0),
        };
        let flags = flags.bits();
        // SAFETY: the argument is alive, as is the time that it names; what the SQEs name lives as
        // **Kernel holds until completion** says.
        let taken = unsafe {
            let enter = libc::SYS_io_uring_enter;
            libc::syscall(enter, self.number, submit, wait_for, flags, argument, bytes)
        };
        if taken < 0 { Err(io::Error::last_os_error()) } else { Ok(taken as u32) }
    }
}

impl Uring {
    /// Submits all that is pending, waits as long as `wait` says unless completions are there, and
    /// lets the kernel put out what it has kept.
    pub(in crate::driver) fn enter(&mut self, wait: Wait) {
        let mut timeout = None;
        let mut wait_for = 0;
        if wait != Wait::No && !self.has_completions() {
            wait_for = 1;
            if let Wait::Until(moment) = wait {
                match moment.saturating_sub(monotonic_ns()) {
                    0 => wait_for = 0,
                    left => timeout = self.arm(Duration::from_nanos(left)),
                }
                if self.has_completions() {
                    wait_for = 0; // a full SQ went before the time-out's, and a full CQ before that
                }
            }
        }
        // SAFETY: no other view of the submission queue exists here.
        if unsafe { self.ring.submission_shared() }.cq_overflow() {
            self.counters.overflows += 1;
        }
        loop {
            let pending = self.pending();
            if wait_for == 0 && pending == 0 && !self.is_flagged() {
                return;
            }
            self.counters.enters += 1;
            // Always with `GETEVENTS`: under `DEFER_TASKRUN` that is what lets operations end.
            match self.door.enter(pending, wait_for, EnterFlags::GETEVENTS, timeout.as_ref()) {
                Ok(taken) if taken == pending => return,
                // The rest of a batch, after an SQE that failed (without `SUBMIT_ALL`).
                Ok(taken) if taken > 0 => {}
                Ok(_) => return self.ride_out(wait_for),
                Err(error) => match Failure::of(&error) {
                    Failure::Return => return,
                    Failure::Shortage => return self.ride_out(wait_for),
                },
            }
        }
    }

    /// The time-out to pass on with the call; or, where that is impossible, one SQE that ends with
    /// the next completion or after that time, whichever is first.
    fn arm(&mut self, left: Duration) -> Option<types::Timespec> {
        // Measured in `CLOCK_MONOTONIC` and rounded up by the kernel: never early. (6.12 would take
        // the moment itself.)
        let left = types::Timespec::from(left.min(LONGEST_WAIT));
        if self.capabilities.has(Capabilities::EXT_ARG) {
            return Some(left);
        }
        *self.timeout = left;
        let timeout = opcode::Timeout::new(&*self.timeout).count(1).build();
        self.fill(&timeout.user_data(Token::nobody().to_bits()));
        None
    }

    /// Submits all that is pending and does not wait.
    #[inline]
    pub(super) fn submit(&mut self) {
        if self.pending() != 0 {
            self.submit_all();
        }
    }

    #[cold]
    fn submit_all(&mut self) {
        let mut flags = EnterFlags::empty();
        loop {
            let pending = self.pending();
            if pending == 0 {
                return;
            }
            self.counters.enters += 1;
            let error = match self.door.enter(pending, 0, flags, None) {
                Ok(taken) if taken > 0 => continue,
                Ok(_) => io::Error::from_raw_os_error(libc::EAGAIN),
                Err(error) => error,
            };
            if let Failure::Shortage = Failure::of(&error) {
                // The caller has nowhere to put completions now: they go where `reap` begins.
                let relieved = self.spill();
                if !relieved && flags == EnterFlags::GETEVENTS {
                    thread::sleep(SHORTAGE_PAUSE);
                }
                // From now on the kernel puts out what it has kept, too.
                flags = EnterFlags::GETEVENTS;
            }
        }
    }

    /// After a shortage in `enter`: lets operations end. The next round submits again.
    #[cold]
    fn ride_out(&mut self, wait_for: u32) {
        self.counters.enters += 1;
        let _ = self.door.enter(0, 0, EnterFlags::GETEVENTS, None);
        if wait_for != 0 && !self.has_completions() {
            thread::sleep(SHORTAGE_PAUSE);
        }
    }
}
