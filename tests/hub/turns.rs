//! A hub inside somebody else's loop.

use crate::ms;
use greenlet::{Config, HubHandle, HubKind, next_turn, sleep, spawn, turn, turn_fd, yield_now};
use std::cell::Cell;
use std::io::{Read, Write};
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(600);

/// On a thread with a hub of each kind that has a descriptor.
fn on_each(test: fn()) {
    let rings = ["", "sync_msg_ring", "defer_taskrun"];
    let rings = rings.map(|disabled| Config::new().hub(HubKind::Uring).disable(disabled));
    // Where another kind is named there is a reason: memcheck, say, does not know rings.
    let named = std::env::var("GREENLET_HUB").is_ok_and(|hub| hub != "uring");
    let rings = rings.into_iter().filter(|_| !named);
    for kind in rings.chain([Config::new().hub(HubKind::Epoll)]) {
        let run = move || {
            if kind.apply().is_ok() {
                test(); // else io_uring is refused, or left out
            }
        };
        std::thread::spawn(run).join().unwrap();
    }
}

/// The loop of somebody else: waits for the descriptor, or until the hub wants to be asked.
fn wait_outside(fd: RawFd) {
    let ms = match next_turn() {
        None => -1,
        Some(time) => time.as_millis() as i32 + i32::from(!time.is_zero()),
    };
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one record, which is alive.
    unsafe { libc::poll(&raw mut poll, 1, ms) };
}

/// Turns until nothing is left to be done.
fn settle() {
    while next_turn() == Some(Duration::ZERO) {
        turn(Duration::ZERO);
    }
}

fn is_readable(fd: RawFd) -> bool {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one record, which is alive.
    unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
}

#[test]
fn a_turn_runs_each_that_is_ready_once() {
    let trace = Rc::new(Cell::new(0));
    let steps = trace.clone();
    let task = spawn(move || {
        for _ in 0..3 {
            steps.set(steps.get() + 1);
            yield_now();
        }
    });
    for n in 1..=3 {
        assert_eq!(next_turn(), Some(Duration::ZERO));
        assert!(turn(Duration::ZERO));
        assert_eq!(trace.get(), n);
    }
    assert!(turn(Duration::ZERO));
    assert!(task.is_finished());
    assert!(!turn(Duration::ZERO));
    assert_eq!(next_turn(), None);
}

#[test]
fn a_turn_in_a_destructor_during_a_panic_runs_nobody() {
    struct Turns(Rc<Cell<bool>>);
    impl Drop for Turns {
        fn drop(&mut self) {
            self.0.set(turn(Duration::ZERO));
        }
    }
    let (ran, task) = (Rc::new(Cell::new(true)), spawn(|| ()));
    let turns = Turns(ran.clone());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _turns = turns;
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(panicked.is_err() && !ran.get() && !task.is_finished());
    assert!(turn(Duration::ZERO) && task.is_finished());
}

#[test]
fn a_turn_waits_no_longer_than_it_may() {
    let task = spawn(|| sleep(LONG));
    turn(Duration::ZERO);
    let began = Instant::now();
    assert!(!turn(ms(3)));
    assert!(began.elapsed() >= ms(3));
    let left = next_turn().unwrap();
    assert!(left > ms(1) && left <= LONG);
    task.kill_soon();
    assert!(turn(LONG));
    assert!(task.is_finished());
}

#[test]
fn a_turn_of_any_length_waits_in_the_kernel() {
    on_each(|| {
        let (stream, mut other) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut stream = greenlet::net::UnixStream::from(stream);
        let reading = spawn(move || stream.read(&mut [0]).unwrap());
        assert!(turn(Duration::MAX));
        let writing = std::thread::spawn(move || {
            std::thread::sleep(ms(20)); // the hub waits by then, as a rule
            other.write_all(b"x").unwrap();
        });
        let before = greenlet::stats().enters;
        while !reading.is_finished() {
            assert!(turn(Duration::MAX));
        }
        let enters = greenlet::stats().enters - before;
        assert!(enters < 20, "the kernel was entered {enters} times");
        writing.join().unwrap();
    });
}

#[test]
fn the_descriptor_tells_of_sockets_moments_and_other_threads() {
    on_each(|| {
        let (stream, mut other) = greenlet::net::UnixStream::pair().unwrap();
        let got = Rc::new(Cell::new(0));
        let count = got.clone();
        let reading = spawn(move || {
            let mut stream = &stream;
            let mut byte = [0];
            while stream.read(&mut byte).unwrap() == 1 {
                count.set(count.get() + 1);
            }
        });
        let fd = turn_fd().unwrap();
        turn(Duration::ZERO);
        settle();
        assert!(!is_readable(fd) && next_turn().is_none());
        for n in 1..=3 {
            other.write_all(b"x").unwrap();
            while got.get() < n {
                wait_outside(fd);
                turn(Duration::ZERO);
            }
            settle();
            assert!(!is_readable(fd), "nothing is left to be done");
        }
        let sleeping = spawn(|| sleep(ms(3)));
        while !sleeping.is_finished() {
            wait_outside(fd);
            turn(Duration::ZERO);
        }
        let hub = HubHandle::current();
        for _ in 0..20 {
            let hub = hub.clone();
            let thread = std::thread::spawn(move || hub.spawn(|| 7).join().unwrap());
            while !thread.is_finished() {
                // Not for ever: the thread may end between the question and the wait.
                let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
                if next_turn() != Some(Duration::ZERO) {
                    // SAFETY: one record, which is alive.
                    unsafe { libc::poll(&raw mut poll, 1, 1) };
                }
                turn(Duration::ZERO);
            }
            assert_eq!(thread.join().unwrap(), 7);
        }
        settle();
        assert!(!is_readable(fd), "wakes were heard");
        drop(other);
        while !reading.is_finished() {
            wait_outside(fd);
            turn(Duration::ZERO);
        }
    });
}

/// A UNIX socket connects when the listener's queue has room: on epoll no event tells of that.
#[test]
fn what_no_event_tells_of_is_asked_about_in_time() {
    on_each(|| {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
        let name =
            format!("greenlet-turn-{}-{:?}", std::process::id(), std::thread::current().id());
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        // SAFETY: the listener's own descriptor. Its queue holds one from now on.
        assert_eq!(unsafe { libc::listen(std::os::fd::AsRawFd::as_raw_fd(&listener), 0) }, 0);
        let _first = UnixStream::connect_addr(&address).unwrap();
        let connecting = spawn(move || greenlet::net::UnixStream::connect_addr(&address).map(drop));
        let fd = turn_fd().unwrap();
        for _ in 0..3 {
            turn(Duration::ZERO);
        }
        assert!(!connecting.is_finished());
        drop(listener.accept().unwrap());
        while !connecting.is_finished() {
            wait_outside(fd);
            turn(Duration::ZERO);
        }
        connecting.join().unwrap().unwrap();
    });
}

#[test]
fn another_thread_makes_the_descriptor_readable() {
    on_each(|| {
        let (fd, hub) = (turn_fd().unwrap(), HubHandle::current());
        turn(Duration::ZERO);
        for n in 0..200 {
            let hub = hub.clone();
            let thread = std::thread::spawn(move || hub.spawn(move || n).join().unwrap());
            // A wake that came late for the last one is no work.
            while !turn(Duration::ZERO) {
                if next_turn() != Some(Duration::ZERO) {
                    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
                    // SAFETY: one record, which is alive.
                    let answer = unsafe { libc::poll(&raw mut poll, 1, 60_000) };
                    assert_eq!(answer, 1, "a wake was lost");
                }
            }
            assert_eq!(thread.join().unwrap(), n);
        }
    });
}

#[test]
fn some_hubs_have_no_descriptor() {
    std::thread::spawn(|| {
        Config::new().hub(HubKind::Poll).apply().unwrap();
        assert_eq!(turn_fd().unwrap_err().kind(), std::io::ErrorKind::Unsupported);
        let task = spawn(|| sleep(ms(1)));
        while !task.is_finished() {
            turn(LONG);
        }
    })
    .join()
    .unwrap();
}
