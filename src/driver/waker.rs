//! What ends an [`enter`](super::Driver::enter) of another thread.
#![expect(unsafe_code, reason = "eventfd(2)")]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Ends a wait of one driver, from any thread. It may be known longer than the driver lives.
pub(crate) enum Waker {
    /// A message to the ring of the one who waits.
    #[cfg(feature = "uring")]
    Ring(super::uring::Mark),
    /// A descriptor that the one who waits has among those it waits for.
    Event(Event),
}

impl Waker {
    /// Ends the current wait of the driver, or else its next one, for no reason that it can see. When
    /// there is no driver any more, nothing happens.
    ///
    /// # Panics
    /// When the kernel lets the calling thread do nothing of the kind.
    pub(crate) fn wake(&self) {
        match self {
            #[cfg(feature = "uring")]
            Waker::Ring(mark) => mark.send(),
            Waker::Event(event) => event.signal(),
        }
    }

    /// The event, where it is one.
    pub(super) fn event(&self) -> Option<&Event> {
        match self {
            #[cfg(feature = "uring")]
            Waker::Ring(_) => None,
            Waker::Event(event) => Some(event),
        }
    }
}

/// A counter of the kernel's that can be waited for; eventfd(2).
pub(crate) struct Event(OwnedFd);

impl Event {
    pub(super) fn new() -> io::Result<Event> {
        // SAFETY: takes no addresses.
        let number = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and nobody else has the number.
        Ok(Event(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    pub(super) fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Makes it readable. A counter that is full, and refuses, is readable already.
    fn signal(&self) {
        let one = 1u64;
        while {
            // SAFETY: the descriptor is open, and eight bytes are read.
            let done =
                unsafe { libc::write(self.number(), (&raw const one).cast(), size_of::<u64>()) };
            done < 0 && is_interrupted()
        } {}
    }

    /// Blocks the thread until it is readable, at most so long, and makes it unreadable. Was it?
    #[cfg(feature = "sim")]
    pub(super) fn wait(&self, limit_ms: i32) -> bool {
        let mut poll = libc::pollfd { fd: self.number(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one record, which is alive. A signal ends it early, which whoever waits must allow for.
        let count = unsafe { libc::poll(&raw mut poll, 1, limit_ms) };
        self.clear();
        count == 1
    }

    /// Makes it unreadable, if it was readable.
    pub(super) fn clear(&self) {
        let mut count = 0u64;
        while {
            // SAFETY: the descriptor is open and does not block; eight bytes are written.
            let done =
                unsafe { libc::read(self.number(), (&raw mut count).cast(), size_of::<u64>()) };
            done < 0 && is_interrupted()
        } {}
    }
}

/// Was the last system call ended by a signal? Linux does not do that to calls that never block, but
/// what stands between us and it may.
fn is_interrupted() -> bool {
    io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(event: &Event) -> bool {
        let mut poll = libc::pollfd { fd: event.number(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one record, which is alive.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
    }

    #[test]
    fn an_event_is_readable_from_a_signal_until_it_is_cleared() {
        let event = Event::new().unwrap();
        event.clear();
        assert!(!is_readable(&event));
        event.signal();
        event.signal();
        assert!(is_readable(&event));
        event.clear();
        assert!(!is_readable(&event));
    }
}
