//! Waiting until one of several descriptors is ready.

use crate::raw;
use greenlet::net::{Selected, TcpListener, TcpStream, UnixStream, readable, select};
use greenlet::{run_until_idle, sleep, spawn, spawn_detached, timeout, yield_now};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

const LONG: Option<Duration> = Some(Duration::from_secs(600));
const SHORT: Duration = Duration::from_millis(3);

fn pairs<const N: usize>() -> [(UnixStream, UnixStream); N] {
    std::array::from_fn(|_| UnixStream::pair().unwrap())
}

#[test]
fn nothing_to_wait_for_is_a_sleep() {
    let began = Instant::now();
    assert!(select(&[], &[], Some(SHORT)).unwrap().is_empty());
    assert!(began.elapsed() >= SHORT);
    assert!(select(&[], &[], Some(Duration::ZERO)).unwrap().is_empty());
}

#[cfg(feature = "sim")]
#[test]
fn its_limit_passes_in_a_simulated_world() {
    let hour = Duration::from_secs(3600);
    let (nothing, report) = greenlet::sim::run(1, move || select(&[], &[], Some(hour)));
    assert!(nothing.unwrap().is_empty() && report.virtual_time < 2 * hour);
}

#[test]
fn all_that_are_ready_are_told_and_the_others_not() {
    let [a, b, c] = pairs();
    (&a.1).write_all(b"x").unwrap();
    drop(c.1); // its end has come
    let readers = [a.0.as_fd(), b.0.as_fd(), c.0.as_fd()];
    let ready = select(&readers, &[b.0.as_fd()], LONG).unwrap();
    assert_eq!(ready, Selected { readable: vec![0, 2], writable: vec![0] });
    assert_eq!(select(&readers, &[], Some(Duration::ZERO)).unwrap().readable, [0, 2]);
}

#[test]
fn it_parks_until_one_becomes_ready_and_others_run() {
    let [a, (b, other), c] = pairs();
    let writer = spawn(move || {
        yield_now();
        sleep(SHORT);
        (&other).write_all(b"y").unwrap();
        other
    });
    let readers = [a.0.as_fd(), b.as_fd(), c.0.as_fd()];
    assert_eq!(select(&readers, &[], LONG).unwrap().readable, [1]);
    assert!(select(&readers[..1], &[], Some(SHORT)).unwrap().is_empty(), "its time is over");
    drop(writer.join().unwrap());
}

#[test]
fn it_waits_for_room_and_for_connections() {
    let [full] = pairs();
    full.0.set_nonblocking(true).unwrap();
    while (&full.0).write(&[0; 4096]).is_ok() {}
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (room, coming): (&[BorrowedFd<'_>], _) = (&[full.0.as_fd()], [listener.as_fd()]);
    assert!(select(&coming, room, Some(Duration::ZERO)).unwrap().is_empty());
    let address = listener.local_addr().unwrap();
    let client = spawn(move || TcpStream::connect(address).unwrap());
    assert_eq!(select(&coming, room, LONG).unwrap().readable, [0]);
    listener.accept().unwrap();
    let mut other = full.1;
    let drain = spawn(move || {
        let mut taken = vec![0; 1 << 20];
        assert!(other.read(&mut taken).unwrap() > 0);
        other
    });
    assert_eq!(select(&coming, room, LONG).unwrap().writable, [0]);
    drop((drain.join().unwrap(), client.join().unwrap()));
}

#[test]
fn files_are_always_ready() {
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let ready = select(&[file.as_fd()], &[file.as_fd()], LONG).unwrap();
    assert_eq!((ready.readable, ready.writable), (vec![0], vec![0]));
}

#[test]
fn the_same_descriptor_may_be_named_twice_and_waited_for_elsewhere() {
    let [a] = pairs();
    let elsewhere = a.0.try_clone().unwrap();
    let other = spawn(move || readable(&elsewhere).map_err(|error| error.kind()));
    let writer = a.1;
    spawn_detached(move || {
        sleep(SHORT);
        (&writer).write_all(b"z").unwrap();
    });
    assert_eq!(select(&[a.0.as_fd(), a.0.as_fd()], &[], LONG).unwrap().readable, [0, 1]);
    assert_eq!(other.join().unwrap(), Ok::<(), ErrorKind>(()));
}

#[test]
fn a_limit_or_a_kill_ends_it_and_leaves_nobody_behind() {
    let [a, b] = pairs();
    let readers = [a.0.as_fd(), b.0.as_fd()];
    assert!(timeout(SHORT, || select(&readers, &[], None)).is_err());
    let task = spawn(move || {
        let readers = [a.0.as_fd(), b.0.as_fd()];
        select(&readers, &[], None).map(|_| ())
    });
    yield_now();
    yield_now();
    task.kill();
    assert!(task.join().unwrap_err().is_killed());
    run_until_idle();
}

#[test]
fn a_signal_does_not_end_a_look() {
    let [a] = pairs();
    raw::under_signals(|| {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(300) {
            assert!(select(&[a.0.as_fd()], &[], Some(Duration::ZERO)).unwrap().is_empty());
        }
    });
}

/// What is ready at once keeps nobody else from running, and can be limited and killed.
#[test]
fn a_loop_over_what_is_always_ready_is_no_prison() {
    let (left, right) = UnixStream::pair().unwrap();
    (&right).write_all(b"x").unwrap();
    let forever = |left: &UnixStream| {
        loop {
            assert_eq!(select(&[left.as_fd()], &[], LONG).unwrap().readable, [0]);
        }
    };
    let limited: Result<(), _> = timeout(SHORT, || forever(&left));
    assert!(limited.is_err());
    let task = spawn(move || forever(&left));
    yield_now(); // it loops, and comes back here
    task.kill();
}
