//! What poll and select do otherwise than epoll, and which of them is taken.

use super::*;
use crate::driver::filter::{forbid, is_refused};
use std::io::{Read as _, Write as _};
use std::net::UdpSocket;

const LEVELS: [Kind; 2] = [Kind::Poll, Kind::Select];

/// How often one may look into the kernel for what is said to be left alone.
const FEW: u64 = 60;

fn enters(world: &World) -> u64 {
    world.driver.counters().enters
}

#[test]
fn only_what_somebody_waits_for_ends_a_wait() {
    for kind in LEVELS {
        let ((one, mut other), mut world) = (tcp(), World::on(kind));
        let it = fd(&one);
        world.queue(recv(it, buffer(1)), 1);
        // It is writable all the time, and then readable, too, with nobody to read.
        other.write_all(b"ab").unwrap();
        assert_eq!(world.wait(1), [(1, 1)]);
        let ((quiet, _peer), enters_before) = (unix(), enters(&world));
        let waiting = world.queue(recv(fd(&quiet), buffer(1)), 2);
        let until = world.driver.now() + 10_000_000;
        while world.driver.now() < until {
            world.driver.enter(Wait::Until(until));
        }
        assert!(enters(&world) - enters_before <= 3, "{kind}");
        world.driver.cancel(waiting);
        assert_eq!(world.take(), [(2, -libc::ECANCELED)]);
    }
}

#[test]
fn what_was_ready_before_it_was_waited_for_is_reported() {
    for kind in LEVELS {
        let ((one, mut other), mut world) = (tcp(), World::on(kind));
        let it = fd(&one);
        let first = world.queue(recv(it, buffer(4)), 1);
        world.driver.cancel(first);
        other.write_all(b"ab").unwrap();
        // The last "no" still stands, and nothing was fetched since.
        world.queue(recv(it, buffer(1)), 2);
        world.queue(recv(it, buffer(1)), 3);
        assert_eq!(world.wait(3), [(1, -libc::ECANCELED), (2, 1), (3, 1)]);
        world.queue(recv(it, buffer(8)), 4);
        drop(other);
        assert_eq!(world.wait(1), [(4, 0)]);
    }
}

/// An error that is reported all the time, and that is no reader's: a message in the error queue.
#[test]
fn a_state_that_moves_nobody_does_not_keep_the_processor_busy() {
    for kind in LEVELS {
        let mut world = World::on(kind);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let on = 1_i32;
        // SAFETY: an integer.
        let answer = unsafe {
            let (level, name) = (libc::IPPROTO_IP, libc::IP_RECVERR);
            libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const on).cast(), 4)
        };
        assert_eq!(answer, 0);
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        socket.send_to(b"anybody?", nobody).unwrap();
        let waiting = entry(recv(fd(&socket), buffer(8)), 1);
        // The error itself is told to whoever asks first; its message stays in the queue.
        while let Pushed::Done(result) = world.push(waiting) {
            assert_eq!(result, -libc::ECONNREFUSED);
        }
        while world.look() == [(1, -libc::ECONNREFUSED)] {
            assert_eq!(world.push(waiting), Pushed::Queued);
        }
        let enters_before = enters(&world);
        let until = world.driver.now() + 10_000_000;
        while world.driver.now() < until {
            world.driver.enter(Wait::Until(until));
        }
        assert!(enters(&world) - enters_before < FEW, "{kind}: {}", enters(&world));
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.send_to(b"I", socket.local_addr().unwrap()).unwrap();
        assert_eq!(world.wait(1), [(1, 1)], "{kind}");
    }
}

#[test]
fn select_refuses_what_is_beyond_its_sets() {
    let ((one, mut other), mut world) = (unix(), World::on(Kind::Select));
    for (number, answer) in [(libc::FD_SETSIZE as RawFd - 1, None), (1024, Some(-BEYOND_SELECT))] {
        // SAFETY: takes no addresses.
        let copy = unsafe { libc::fcntl(one.as_raw_fd(), libc::F_DUPFD_CLOEXEC, number) };
        if copy != number {
            assert!(copy > number || copy < 0);
            continue; // somebody has it, or the limit is low
        }
        let it = Fd::new(number);
        match (world.push(entry(recv(it, buffer(1)), 1)), answer) {
            (Pushed::Queued, None) => {
                other.write_all(b"x").unwrap();
                assert_eq!(world.wait(1), [(1, 1)]);
            }
            (pushed, answer) => assert_eq!(Some(pushed), answer.map(Pushed::Done)),
        }
        // What need not wait is done.
        other.write_all(b"y").unwrap();
        assert_eq!(world.done(Request::Poll { fd: it, events: libc::POLLIN }), 1);
        world.driver.close(it).unwrap();
        assert_eq!((&one).read(&mut [0; 8]).unwrap(), 1);
    }
}

/// select knows of no hang-up beside what is readable, or not asked for.
#[test]
fn who_writes_hears_of_a_shutdown_on_this_side() {
    for kind in LEVELS {
        let ((mut one, mut other), mut world) = (unix(), World::on(kind));
        other.write_all(b"unread").unwrap();
        while one.write(&[0; 4096]).is_ok() {}
        world.queue(send(fd(&one), b"x"), 1);
        assert_eq!(world.look(), []);
        one.shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!(world.wait(1), [(1, -libc::EPIPE)], "{kind}");
    }
}

#[test]
fn who_waits_for_a_number_that_others_close_is_told() {
    for kind in LEVELS {
        let mut world = World::on(kind);
        let (one, _other) = unix();
        // So high that no other test gets the number.
        // SAFETY: takes no addresses.
        let number = unsafe { libc::fcntl(one.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 900) };
        world.queue(Request::Poll { fd: Fd::new(number), events: libc::POLLIN }, 1);
        assert_eq!(world.look(), []);
        // SAFETY: this test's own.
        assert_eq!(unsafe { libc::close(number) }, 0);
        assert_eq!(world.wait(1), [(1, -libc::EBADF)], "{kind}");
        assert_eq!(watched(&mut world), 0);
    }
}

/// As with a limit that was lowered: the kernel takes fewer than there are.
#[test]
fn more_than_the_limit_allows_are_looked_at_one_by_one() {
    let lower = || {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: valid addresses.
        unsafe {
            assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
            let lowered = libc::rlimit { rlim_cur: 1, ..limit };
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const lowered), 0);
        }
        limit
    };
    // The limit is the process's: this one is a child's.
    // SAFETY: the child only makes system calls on what it owns, allocates little, and exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let is_well = std::panic::catch_unwind(|| {
            let mut world = World::on(Kind::Poll);
            let ends: Vec<_> = (0..3).map(|_| unix()).collect();
            for (id, (one, _)) in (1..).zip(&ends) {
                world.queue(recv(fd(one), buffer(1)), id);
            }
            lower();
            assert_eq!(world.look(), []);
            (&ends[1].1).write_all(b"x").unwrap();
            assert_eq!(world.wait(1), [(2, 1)]);
        });
        // SAFETY: ends the child without what the parent registered.
        unsafe { libc::_exit(if is_well.is_ok() { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: a child of ours.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
}

fn made(disabled: Capabilities, kind: Option<Kind>) -> Result<(Kind, Option<String>), String> {
    let disabled = disabled.with(Capabilities::URING);
    let settings = Settings { kind, disabled, ..Settings::default() };
    let made = Driver::new(&settings).map(|(driver, why)| (driver.kind(), why));
    made.map_err(|error| error.to_string())
}

#[test]
fn the_next_poller_is_taken_where_one_is_refused() {
    let (epoll, poll) = (Capabilities::EPOLL, Capabilities::POLL);
    let (kind, _) = made(Capabilities::NONE, None).unwrap();
    assert_eq!(kind, Kind::Epoll);
    let (kind, why) = made(epoll, None).unwrap();
    assert_eq!(kind, Kind::Poll);
    assert!(why.unwrap().ends_with("epoll refused: epoll is disabled by the settings"));
    let (kind, why) = made(epoll.with(poll), None).unwrap();
    assert_eq!(kind, Kind::Select);
    assert!(why.unwrap().ends_with("; poll refused: poll is disabled by the settings"));
    // One that is named is never replaced.
    assert_eq!(made(epoll, Some(Kind::Epoll)).unwrap_err(), "epoll is disabled by the settings");
    assert_eq!(made(poll, Some(Kind::Poll)).unwrap_err(), "poll is disabled by the settings");
    assert_eq!(made(poll, Some(Kind::Select)), Ok((Kind::Select, None)));
}

/// What select alone can say is enough for sockets.
#[test]
fn select_makes_do_where_a_filter_forbids_poll() {
    if is_refused() {
        return;
    }
    let without_poll = || {
        for call in [
            #[cfg(target_arch = "x86_64")]
            libc::SYS_poll,
            libc::SYS_ppoll,
            libc::SYS_epoll_create1,
        ] {
            forbid(call, libc::EPERM, None);
        }
        let settings = Settings { disabled: Capabilities::URING, ..Settings::default() };
        let (driver, why) = Driver::new(&settings).unwrap();
        assert_eq!(driver.kind(), Kind::Select);
        let why = why.unwrap();
        assert!(why.contains("epoll refused: Operation not permitted"), "{why}");
        assert!(why.contains("; poll refused: Operation not permitted"), "{why}");
        let mut world = World { driver, completions: Vec::new() };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let accept = Request::Accept {
            fd: fd(&listener),
            address: std::ptr::null_mut(),
            length: std::ptr::null_mut(),
            flags: 0,
        };
        world.queue(accept, 1);
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let [(1, number @ 0..)] = world.wait(1)[..] else { panic!() };
        set_nonblocking(number);
        let it = Fd::new(number);
        world.queue(Request::Poll { fd: it, events: libc::POLLIN }, 2);
        client.write_all(b"hello").unwrap();
        assert_eq!(world.wait(1), [(2, i32::from(libc::POLLIN))]);
        assert_eq!(world.done(recv(it, buffer(9))), 5);
        world.queue(recv(it, buffer(9)), 3);
        client.write_all(b"again").unwrap();
        assert_eq!(world.wait(1), [(3, 5)]);
        assert_eq!(world.done(send(it, b"hello")), 5);
        world.driver.close(it).unwrap();
    };
    std::thread::spawn(without_poll).join().unwrap();
}
