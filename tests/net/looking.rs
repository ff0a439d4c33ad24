//! Closing what others only look at: whoever waits until it is ready, and reads nothing.

use crate::pair;
use greenlet::net::{TcpStream, readable, select, writable};
use greenlet::{spawn, timeout, yield_now};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

/// Whoever only looks holds the file on io_uring, but does not keep it open.
#[test]
fn close_closes_what_others_only_look_at() {
    let looks: [fn(&TcpStream) -> io::Result<()>; 3] = [
        |it| readable(it),
        |it| readable(it).and_then(|()| writable(it)),
        |it| select(&[it.as_fd()], &[], None).map(drop),
    ];
    for look in looks {
        let (client, mut server) = pair::tcp();
        let client = Rc::new(client);
        let same = client.clone();
        let looker = spawn(move || look(&same));
        let same = client.clone();
        let second = spawn(move || look(&same));
        pair::settle();
        assert!(!looker.is_finished() && !second.is_finished());
        client.close().unwrap();
        let end = timeout(Duration::from_secs(60), || server.read(&mut [0; 1]));
        assert_eq!(end.expect("it is not closed").unwrap(), 0);
        for looker in [looker, second] {
            let error = looker.join().unwrap().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{error}");
        }
    }
}

#[test]
fn a_closed_listener_gives_its_port_back_at_once() {
    for _ in 0..3 {
        let listener = Rc::new(pair::listen());
        let address = listener.local_addr().unwrap();
        let same = listener.clone();
        let looker = spawn(move || readable(&*same));
        pair::settle();
        listener.close().unwrap();
        drop(std::net::TcpListener::bind(address).expect("its port is free"));
        assert!(looker.join().unwrap().is_err());
    }
}

/// Another name for the same file is another descriptor.
#[test]
fn close_leaves_those_alone_who_look_at_a_clone() {
    let (client, mut server) = pair::tcp();
    let clone = client.try_clone().unwrap();
    let looker = spawn(move || readable(&clone));
    pair::settle();
    client.close().unwrap();
    pair::settle();
    assert!(!looker.is_finished());
    server.write_all(b"x").unwrap();
    looker.join().unwrap().unwrap();
}

#[test]
fn who_is_killed_while_another_closes_ends_once() {
    for kill_first in [false, true] {
        let (client, mut server) = pair::tcp();
        let client = Rc::new(client);
        let same = client.clone();
        let looker = spawn(move || readable(&*same));
        pair::settle();
        if kill_first {
            looker.kill_soon();
            yield_now();
        }
        client.close().unwrap();
        looker.kill_soon();
        match looker.join() {
            Ok(result) => assert!(result.is_err() && !kill_first),
            Err(error) => assert!(error.is_killed(), "{error}"),
        }
        assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
    }
}
