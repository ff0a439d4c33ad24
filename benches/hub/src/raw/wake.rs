//! A word there and back by two eventfds that two threads wait for by epoll: what a wake costs at least
//! where the kernel has nothing better.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use greenlet_benches::machine;

use crate::cpu::ProcessClock;

/// An eventfd, and an epoll instance that watches it.
struct Bell {
    event: OwnedFd,
    poll: OwnedFd,
}

impl Bell {
    fn new() -> Bell {
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

    fn ring(&self) {
        let one = 1u64;
        // SAFETY: eight bytes are read.
        unsafe { libc::write(self.number(), (&raw const one).cast(), 8) };
    }

    fn wait(&self) {
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

/// Nanoseconds one way, between a thread on each of these CPUs: on the clock, and of processor time.
///
/// # Panics
/// When there is no descriptor left, or a CPU is not allowed.
pub fn by_eventfd(cpus: [usize; 2], trips: u32) -> (f64, f64) {
    const WARM_UP: u32 = 50;
    let (there, back) = (Bell::new(), Bell::new());
    let (clock, cpu) = thread::scope(|scope| {
        scope.spawn(|| {
            machine::pin(cpus[1]).expect("a CPU that is allowed");
            for _ in 0..WARM_UP + trips {
                there.wait();
                back.ring();
            }
        });
        let asking = scope.spawn(|| {
            machine::pin(cpus[0]).expect("a CPU that is allowed");
            let trip = || {
                there.ring();
                back.wait();
            };
            (0..WARM_UP).for_each(|_| trip());
            let clock = ProcessClock::own();
            let (began, cpu) = (Instant::now(), clock.now().expect("our own clock"));
            (0..trips).for_each(|_| trip());
            (began.elapsed(), clock.now().expect("our own clock") - cpu)
        });
        asking.join().expect("no panic")
    });
    let one_way = |time: Duration| time.as_nanos() as f64 / f64::from(2 * trips);
    (one_way(clock), one_way(cpu))
}
