//! How long `enter` stays, and what ends it.

use super::*;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn until_is_never_early() {
    let (_ends, mut world) = (tcp(), World::new());
    for coarse in [false, true] {
        if coarse && let super::super::Poller::Epoll(epoll) = &mut world.readiness().poller {
            epoll.make_coarse();
        }
        for wait_ns in [0, 1, 999, 1_000, 50_000, 999_999, 1_000_001, 3_000_000] {
            let moment = world.driver.now() + wait_ns;
            world.driver.enter(Wait::Until(moment));
            assert!(world.driver.now() >= moment);
        }
        world.driver.enter(Wait::Until(0));
    }
    let name = match kind() {
        Kind::Epoll => "epoll (milliseconds)".to_owned(),
        kind => kind.to_string(),
    };
    assert_eq!(world.driver.to_string(), name);
}

#[test]
fn nothing_is_asked_when_nobody_waits() {
    let ((one, mut other), mut world) = (tcp(), World::new());
    assert!(!world.driver.is_due());
    world.driver.enter(Wait::No);
    assert_eq!(world.driver.counters().enters, 0);
    let it = fd(&one);
    let waiting = world.queue(recv(it, buffer(1)), 1);
    assert!(world.driver.is_due());
    world.driver.cancel(waiting);
    // What is done is enough to return, for however long one would have waited.
    world.driver.enter(Wait::ForEver);
    assert_eq!(world.driver.counters().enters, 0);
    assert!(world.driver.is_due());
    assert_eq!(world.take(), [(1, -libc::ECANCELED)]);
    assert!(!world.driver.is_due());
    other.write_all(b"x").unwrap();
    world.queue(recv(it, buffer(1)), 2);
    world.driver.enter(Wait::ForEver);
    assert_eq!(world.take(), [(2, 1)]);
}

static WAS_CALLED: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_: i32) {
    WAS_CALLED.store(true, Ordering::SeqCst);
}

#[test]
fn a_signal_ends_the_wait_early() {
    let (_ends, mut world) = (tcp(), World::new());
    // SAFETY: the handler does one store; without SA_RESTART.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = note as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut()), 0);
    }
    // SAFETY: takes no addresses.
    let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
    let is_over = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Again and again: the first may come before the wait has begun.
        scope.spawn(move || {
            while !is_over.load(Ordering::SeqCst) {
                // SAFETY: the thread lives, the scope waits for this one.
                unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR2) };
                std::thread::yield_now();
            }
        });
        let late = world.driver.now() + 20_000_000_000;
        for wait in [Wait::Until(late), Wait::ForEver] {
            WAS_CALLED.store(false, Ordering::SeqCst);
            world.driver.enter(wait);
            assert!(WAS_CALLED.load(Ordering::SeqCst));
        }
        assert!(world.driver.now() < late);
        assert_eq!(world.take(), []);
        is_over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn another_thread_ends_a_wait() {
    let mut world = World::new();
    for _ in 0..100 {
        let waker = world.driver.waker().clone();
        let waking = std::thread::spawn(move || waker.wake());
        world.driver.enter(Wait::ForEver);
        waking.join().unwrap();
    }
    assert_eq!(world.take(), []);
    // One that comes while nobody waits ends the next wait.
    let waker = world.driver.waker().clone();
    waker.wake();
    world.driver.enter(Wait::ForEver);
    drop(world);
    waker.wake();
}

/// Serials wrap.
#[test]
fn a_descriptor_with_the_serial_of_the_waker_is_not_taken_for_it() {
    let ((one, mut other), mut world) = (unix(), World::new());
    let it = Fd::with_serial(one.as_raw_fd(), world.readiness().wake.serial());
    world.queue(recv(it, buffer(1)), 1);
    other.write_all(b"x").unwrap();
    assert_eq!(world.look(), [(1, 1)]);
}
