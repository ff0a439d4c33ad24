//! How long a round takes.

use super::*;
use crate::driver::monotonic_ns;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;

const MS: u64 = 1_000_000;

#[test]
fn deadline_is_never_early() {
    needs_a_ring!();
    for disabled in [Capabilities::NONE, Capabilities::EXT_ARG] {
        let mut bench = Bench::without(disabled);
        for delay in [0, 1, 1_000, 100_000, MS, 10 * MS] {
            let deadline = monotonic_ns() + delay;
            // A signal or a shortage may end a round early, but not one after the other.
            let rounds = (1..).find(|_| {
                bench.uring.enter(Wait::Until(deadline));
                monotonic_ns() >= deadline
            });
            assert!(rounds.unwrap() < 10, "{delay} ns took {rounds:?} rounds");
            bench.uring.reap(|end| panic!("{end:?} is nobody's"));
        }
        // A completion is earlier.
        let record = 0;
        let entry = Entry::new(Request::Nop, operation(&record));
        bench.push(&entry);
        let deadline = monotonic_ns() + 3_600_000 * MS;
        while bench.ended.is_empty() {
            bench.turn(Wait::Until(deadline));
        }
        assert_eq!(bench.ended.len(), 1);
    }
}

#[test]
fn completions_that_are_there_are_not_waited_for() {
    needs_a_ring!();
    let mut bench = Bench::without(Capabilities::NONE);
    let (record, other) = (0, 0);
    let (near, _far) = UnixStream::pair().unwrap();
    let nop = Entry::new(Request::Nop, operation(&record));
    bench.push(&nop);
    bench.uring.enter(Wait::No);
    let poll = Request::Poll { fd: fd(&near), events: libc::POLLIN };
    let poll = Entry::new(poll, operation(&other));
    bench.push(&poll);
    bench.uring.enter(Wait::ForEver);
    bench.wait(nop.token);
    bench.uring.cancel(&poll);
    bench.wait(poll.token);
    bench.wait(poll.token.tagged(Token::CANCEL));
}

static SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: libc::c_int) {
    SIGNALS.fetch_add(1, SeqCst);
}

#[test]
fn signal_ends_a_round_and_not_the_wait() {
    needs_a_ring!();
    for disabled in [Capabilities::NONE, Capabilities::EXT_ARG] {
        let mut bench = Bench::without(disabled);
        // SAFETY: a handler that only counts; without `SA_RESTART`, so that calls are interrupted.
        let this = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = count as *const () as usize;
            assert_eq!(libc::sigaction(libc::SIGRTMIN() + 3, &raw const action, null_mut()), 0);
            libc::pthread_self()
        };
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    // SAFETY: the thread waits for this one to end.
                    unsafe { libc::pthread_kill(this, libc::SIGRTMIN() + 3) };
                    thread::yield_now();
                }
            });
            // Nothing but a signal ends this.
            bench.uring.enter(Wait::Until(monotonic_ns() + 3_600_000 * MS));
            bench.uring.enter(Wait::ForEver);
            // Signals do not end this.
            let deadline = monotonic_ns() + 20 * MS;
            while monotonic_ns() < deadline {
                bench.uring.enter(Wait::Until(deadline));
                bench.uring.reap(|end| panic!("{end:?} is nobody's"));
            }
            done.store(true, SeqCst);
        });
        assert!(SIGNALS.load(SeqCst) > 0);
    }
}

#[test]
fn another_thread_ends_a_wait() {
    needs_a_ring!();
    for disabled in [Capabilities::NONE, Capabilities::SYNC_MSG_RING] {
        let mut bench = Bench::without(disabled);
        for _ in 0..100 {
            let waker = bench.uring.waker().clone();
            let waking = thread::spawn(move || waker.wake());
            bench.turn(Wait::ForEver);
            waking.join().unwrap();
        }
        assert!(bench.ended.is_empty(), "a wake is nobody's completion");
        // One that comes while nobody waits ends the next wait.
        bench.uring.waker().clone().wake();
        bench.turn(Wait::ForEver);
    }
}

#[test]
fn a_wake_of_a_ring_that_is_gone_does_nothing() {
    needs_a_ring!();
    for disabled in [Capabilities::NONE, Capabilities::SYNC_MSG_RING] {
        let bench = Bench::without(disabled);
        let waker = bench.uring.waker().clone();
        drop(bench);
        waker.wake();
    }
}

#[test]
fn a_moment_that_never_comes_is_waited_for() {
    needs_a_ring!();
    for disabled in [Capabilities::NONE, Capabilities::EXT_ARG] {
        let mut bench = Bench::without(disabled);
        // SAFETY: takes no addresses.
        let timer = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, 0) };
        assert!(timer >= 0);
        // SAFETY: just opened.
        let timer = unsafe { OwnedFd::from_raw_fd(timer) };
        let record = 0;
        let poll = Request::Poll { fd: fd(&timer), events: libc::POLLIN };
        let poll = Entry::new(poll, operation(&record));
        bench.push(&poll);
        bench.turn(Wait::No);
        let value = libc::timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let time = libc::itimerspec { it_interval: never, it_value: value };
        // SAFETY: the record is read before the call returns.
        unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const time, null_mut()) };
        bench.turn(Wait::Until(u64::MAX));
        assert_eq!(bench.ended.len(), 1, "without {disabled}");
    }
}
