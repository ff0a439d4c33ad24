//! How other threads end a wait at a ring: by a message to it, or by an event that it polls.
//!
//! A message needs no ring of the sender's own (6.13), costs a third less processor time than an event
//! and is there a fifth earlier (6.18, between two processors). An event is what older kernels have.
#![expect(unsafe_code, reason = "io_uring_register(2), epoll(7)")]

use super::Uring;
use crate::driver::waker::{Event, Waker};
use crate::driver::{Capabilities, Token};
use io_uring::{opcode, squeue, types};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{from_ref, without_provenance};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// `IORING_REGISTER_SEND_MSG_RING`: an SQE is carried out on the spot, without a ring of the sender's.
const SEND_MSG_RING: libc::c_uint = 31;

/// How long to stay away when the kernel has no memory for a message.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(1);

/// Where messages to a ring are sent. Who sends holds the lock meanwhile: so the number is that of
/// the ring, and of nothing that was opened after its end.
pub(crate) struct Mark(Mutex<Option<RawFd>>);

impl Mark {
    /// Puts a completion into the ring that is for nobody.
    pub(in crate::driver) fn send(&self) {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(number) = *ring else { return };
        let message = opcode::MsgRingData::new(types::Fd(number), 0, Token::NOBODY, None).build();
        loop {
            let error = match register(from_ref(&message)) {
                Ok(()) => return,
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::ENOMEM | libc::EAGAIN | libc::EOVERFLOW) => {
                    thread::sleep(SHORTAGE_PAUSE)
                }
                Some(libc::EINTR) => {}
                _ => panic!(
                    "this thread cannot wake a hub: {error}; with GREENLET_DISABLE=sync_msg_ring it \
                     needs no io_uring_register for that"
                ),
            }
        }
    }

    /// The ring is about to be closed.
    pub(super) fn retire(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// io_uring_register(2) of no ring.
fn register(message: *const squeue::Entry) -> io::Result<()> {
    const NO_RING: RawFd = -1;
    // SAFETY: the kernel reads one SQE, or says that there is none at that address.
    let answer =
        unsafe { libc::syscall(libc::SYS_io_uring_register, NO_RING, SEND_MSG_RING, message, 1) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Does this kernel take messages from those who have no ring? Where not, it says so before it looks
/// for the message, which is nowhere.
pub(super) fn takes_messages() -> bool {
    let nowhere = without_provenance(1);
    register(nowhere).is_err_and(|error| error.raw_os_error() == Some(libc::EFAULT))
}

/// The waker of a ring.
///
/// # Errors
/// Those of eventfd(2), on kernels that need it.
pub(super) fn waker(ring: RawFd, capabilities: Capabilities) -> io::Result<Arc<Waker>> {
    Ok(Arc::new(match capabilities.has(Capabilities::SYNC_MSG_RING) {
        true => Waker::Ring(Mark(Mutex::new(Some(ring)))),
        false => Waker::Event(Event::new()?),
    }))
}

impl Uring {
    /// Waits for the event, too, where that is what wakes.
    pub(super) fn listen(&mut self) {
        if let Some(event) = self.waker.event() {
            let poll = opcode::PollAdd::new(types::Fd(event.number()), libc::POLLIN as u32).build();
            self.fill(&poll.user_data(Token::WAKE));
        }
    }

    /// The event has been signalled.
    #[cold]
    pub(super) fn heard(&mut self) {
        self.waker.event().into_iter().for_each(Event::clear);
        self.listen();
    }
}

/// What others wait for in their own loops.
pub(super) struct Turns {
    /// Signalled with each completion, and with work that brings some. The ring itself can be polled,
    /// too, but under `DEFER_TASKRUN` work that comes wakes nobody there (6.18).
    event: Event,
    /// Of that event and the waker's: an event that the ring polls does not always signal another (the
    /// kernel puts that off, and since 6.11 only once; io_uring/eventfd.c, `ops`).
    both: OwnedFd,
}

impl Turns {
    fn new(uring: &Uring) -> io::Result<Turns> {
        let event = Event::new()?;
        // SAFETY: takes no addresses.
        let number = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and nobody else has the number.
        let both = unsafe { OwnedFd::from_raw_fd(number) };
        for member in std::iter::once(&event).chain(uring.waker.event()) {
            let mut wanted = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
            let (add, member) = (libc::EPOLL_CTL_ADD, member.number());
            // SAFETY: both are open, and one record is read.
            if unsafe { libc::epoll_ctl(both.as_raw_fd(), add, member, &raw mut wanted) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        uring.ring.submitter().register_eventfd(event.number())?;
        Ok(Turns { event, both })
    }
}

impl Uring {
    pub(in crate::driver) fn pollable(&mut self) -> io::Result<RawFd> {
        if self.turns.is_none() {
            self.turns = Some(Turns::new(self)?);
        }
        let turns = self.turns.as_ref().expect("just made");
        Ok(turns.both.as_raw_fd())
    }

    pub(in crate::driver) fn hush(&mut self) -> bool {
        self.turns.iter().for_each(|turns| turns.event.clear());
        // What came before is to be seen by now, so that no signal for it is needed.
        self.is_due()
    }
}
