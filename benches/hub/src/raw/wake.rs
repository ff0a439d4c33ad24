//! What wakes a thread: an eventfd that it waits for by epoll, or a message to its ring.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use io_uring::{IoUring, opcode, squeue, types};

use super::ring;

/// An eventfd, and an epoll instance that watches it.
pub struct Bell {
    event: OwnedFd,
    poll: OwnedFd,
}

impl Bell {
    /// # Panics
    /// When there is no descriptor left.
    #[expect(clippy::new_without_default, reason = "opens two descriptors")]
    pub fn new() -> Bell {
        // SAFETY: neither call takes an address; what they open is nobody else's.
        let (event, poll) = unsafe {
            let event = libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK);
            let poll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            assert!(event >= 0 && poll >= 0, "{}", std::io::Error::last_os_error());
            (OwnedFd::from_raw_fd(event), OwnedFd::from_raw_fd(poll))
        };
        let mut wanted = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        let (add, number) = (libc::EPOLL_CTL_ADD, event.as_raw_fd());
        // SAFETY: both are open, and one record is read.
        let answer = unsafe { libc::epoll_ctl(poll.as_raw_fd(), add, number, &mut wanted) };
        assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
        Bell { event, poll }
    }

    pub fn ring(&self) {
        let one = 1u64;
        // SAFETY: eight bytes are read.
        unsafe { libc::write(self.number(), (&raw const one).cast(), 8) };
    }

    pub fn wait(&self) {
        let (mut event, mut count) = (libc::epoll_event { events: 0, u64: 0 }, 0u64);
        // SAFETY: one record, and then eight bytes, are written.
        unsafe {
            while libc::epoll_wait(self.poll.as_raw_fd(), &mut event, 1, -1) != 1 {}
            libc::read(self.number(), (&raw mut count).cast(), 8);
        }
    }

    fn number(&self) -> RawFd {
        self.event.as_raw_fd()
    }
}

/// A ring whose owner is woken by messages to it.
pub struct Inlet {
    ring: IoUring,
}

impl Inlet {
    /// # Errors
    /// When the kernel refuses such a ring.
    pub fn new() -> io::Result<Inlet> {
        Ok(Inlet { ring: ring::build()? })
    }

    /// Where messages to it are sent.
    pub fn address(&self) -> RawFd {
        self.ring.as_raw_fd()
    }

    /// Sends a message with the next [`wait`](Inlet::wait).
    pub fn send(&mut self, to: RawFd) {
        let message = opcode::MsgRingData::new(types::Fd(to), 0, 0, None).build();
        // SAFETY: the entry names no memory.
        unsafe { ring::push(&mut self.ring, &message.flags(squeue::Flags::SKIP_SUCCESS)) };
    }

    /// Sends what is still to be sent.
    ///
    /// # Panics
    /// When the kernel refuses.
    pub fn flush(&self) {
        self.ring.submit().expect("a ring that works");
    }

    pub fn wait(&mut self) {
        while self.ring.completion().next().is_none() {
            ring::wait(&self.ring);
        }
    }
}
