//! `Connect`: refused, at once, in progress, and with a full backlog.

use super::*;
use std::io::Read as _;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;

fn socket(family: i32) -> OwnedFd {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: takes no addresses; the number is nobody else's.
    unsafe { OwnedFd::from_raw_fd(libc::socket(family, kind, 0)) }
}

fn connect(fd: Fd, port: u16) -> Request {
    let address = Box::leak(Box::new(libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    }));
    let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    Request::Connect { fd, address: (&raw const *address).cast(), length }
}

fn result(world: &mut World, request: Request) -> i32 {
    match world.push(entry(request, 1)) {
        Pushed::Done(result) => result,
        Pushed::Queued => world.wait(1)[0].1,
    }
}

#[test]
fn a_listener_takes_and_a_closed_port_refuses() {
    let mut world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let one = socket(libc::AF_INET);
    assert_eq!(result(&mut world, connect(fd(&one), port)), 0);
    // Closed in every sense: the child of another test may have it open until it is another program.
    // SAFETY: takes no addresses.
    assert_eq!(unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RD) }, 0);
    drop((listener, one));
    let other = socket(libc::AF_INET);
    assert_eq!(result(&mut world, connect(fd(&other), port)), -libc::ECONNREFUSED);
}

/// A full backlog drops the first packet of the handshake: the connection stays in progress.
#[test]
fn a_connection_in_progress_is_waited_for() {
    let mut world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: takes no addresses. One place, and one more.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let port = listener.local_addr().unwrap().port();
    let mut sockets = Vec::new();
    let waiting = loop {
        let one = socket(libc::AF_INET);
        let next = entry(connect(fd(&one), port), 100 + sockets.len() as u64);
        sockets.push(one);
        assert!(sockets.len() < 10, "the backlog has no end");
        if world.push(next) == Pushed::Queued && !world.look().iter().any(|ended| ended.1 == 0) {
            break next;
        }
    };
    let it = waiting.request.fd().unwrap();
    // Whoever polls it meanwhile makes events that are not its end.
    let polled = world.queue(Request::Poll { fd: it, events: libc::POLLIN }, 1);
    assert_eq!(world.look(), []);
    world.driver.cancel(polled);
    assert_eq!(world.take(), [(1, -libc::ECANCELED)]);
    // SAFETY: the address is leaked.
    let early = unsafe { super::super::attempt::attempt(&waiting.request, true, &mut 0) };
    assert_eq!(early, -libc::EAGAIN, "no error yet is not the end");
    // There is room now; the packet is sent again within a second or so.
    let _taken: Vec<_> = sockets[1..].iter().map(|_| listener.accept().unwrap()).collect();
    assert_eq!(world.wait(1)[0].1, 0);
}

#[test]
fn a_connection_in_progress_is_cancelled_and_closed() {
    let mut world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: takes no addresses.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let port = listener.local_addr().unwrap().port();
    let mut sockets = Vec::new();
    for id in 0..4 {
        let one = socket(libc::AF_INET);
        let next = entry(connect(fd(&one), port), id);
        if world.push(next) == Pushed::Queued {
            world.driver.enter(Wait::No);
            world.driver.cancel(next);
            assert_eq!(world.take().len(), 1);
        }
        sockets.push(one);
    }
    for one in sockets {
        world.driver.close(Fd::new(std::os::fd::IntoRawFd::into_raw_fd(one))).unwrap();
    }
    assert_eq!(watched(&mut world), 0);
}

/// connect(2) says EAGAIN, and no event tells when there is room.
#[test]
fn a_full_backlog_of_a_unix_listener_is_waited_for() {
    let mut world = World::new();
    let path = std::env::temp_dir().join(format!("greenlet-backlog-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    // SAFETY: takes no addresses.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let name = unix_name(&path);
    let length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    let request =
        |of: &OwnedFd| Request::Connect { fd: fd(of), address: (&raw const name).cast(), length };
    let mut sockets = vec![socket(libc::AF_UNIX)];
    while world.push(entry(request(sockets.last().unwrap()), 1)) == Pushed::Done(0) {
        sockets.push(socket(libc::AF_UNIX));
    }
    sockets.push(socket(libc::AF_UNIX));
    let second = world.queue(request(sockets.last().unwrap()), 2);
    assert_eq!(world.look(), []);
    let before = world.driver.now();
    world.driver.enter(Wait::Until(before + 3_000_000));
    assert_eq!(world.take(), []);
    world.driver.cancel(second);
    assert_eq!(world.take(), [(2, -libc::ECANCELED)]);
    let (mut taken, _) = listener.accept().unwrap();
    assert_eq!(world.wait(1), [(1, 0)]);
    drop(sockets);
    assert_eq!(taken.read(&mut [0; 1]).unwrap(), 0);
    std::fs::remove_file(&path).unwrap();
}
