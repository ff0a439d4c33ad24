//! Servers of datagrams.

use crate::in_child::while_no_child_begins;
use crate::{LONG, SHORT, settle, until};
use greenlet::net::{UdpSocket, UnixDatagram};
use greenlet::pool::Pool;
use greenlet::server::{DatagramServer, StopServe};
use greenlet::spawn;
use greenlet::sync::Event;
use std::cell::Cell;
use std::rc::Rc;

fn client() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket
}

fn asks(server: &DatagramServer, word: &[u8]) {
    let socket = client();
    socket.send_to(word, server.local_addr()).unwrap();
    let mut answer = vec![0; 65_536];
    let (length, from) = socket.recv_from(&mut answer).unwrap();
    assert_eq!((&answer[..length], from), (word, server.local_addr()));
}

fn echo_server() -> DatagramServer {
    let server = DatagramServer::bind("127.0.0.1:0", |bytes, from, socket| {
        socket.send_to(bytes, from).map(drop)
    });
    let server = server.unwrap();
    server.start().unwrap();
    server
}

#[test]
fn datagrams_are_answered() {
    let server = echo_server();
    for length in [0, 1, 1000, 60_000] {
        asks(&server, &vec![b'x'; length]);
    }
    until(|| server.running() == 0);
}

#[test]
fn it_starts_again_at_the_same_address() {
    let server = echo_server();
    for _ in 0..3 {
        asks(&server, b"here");
        assert_eq!(server.stop(LONG), 0);
        assert!(server.is_closed());
        while_no_child_begins(|| server.start()).unwrap();
    }
    asks(&server, b"again");
    server.stop_accepting();
    let socket = client();
    socket.send_to(b"later", server.local_addr()).unwrap();
    settle();
    assert_eq!(server.running(), 0);
    server.start_accepting().unwrap();
    assert_eq!(socket.recv_from(&mut [0; 9]).unwrap().0, 5);
}

#[test]
fn no_more_are_received_than_there_are_places() {
    let (free, most, now) = (Rc::new(Event::new()), Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let server = DatagramServer::builder().concurrency(2).bind("127.0.0.1:0", {
        let (free, most, now) = (free.clone(), most.clone(), now.clone());
        move |bytes, from, socket| {
            now.set(now.get() + 1);
            most.set(most.get().max(now.get()));
            free.wait();
            now.set(now.get() - 1);
            socket.send_to(bytes, from).map(drop)
        }
    });
    let server = server.unwrap();
    server.start().unwrap();
    let socket = client();
    for number in 0..10 {
        socket.send_to(&[number], server.local_addr()).unwrap();
    }
    until(|| now.get() == 2);
    settle();
    assert_eq!(server.running(), 2);
    free.set();
    let mut seen: Vec<_> = (0..10)
        .map(|_| {
            let mut byte = [0];
            socket.recv_from(&mut byte).unwrap();
            byte[0]
        })
        .collect();
    seen.sort_unstable();
    assert_eq!((seen, most.get()), ((0..10).collect(), 2));
}

#[test]
fn a_pool_that_becomes_full_while_a_datagram_is_awaited_has_no_more_members_than_places() {
    let (pool, free, begun) = (Pool::new(1), Rc::new(Event::new()), Rc::new(Cell::new(0)));
    let server = DatagramServer::builder().pool(&pool).bind("127.0.0.1:0", {
        let begun = begun.clone();
        move |bytes, from, socket| {
            begun.set(begun.get() + 1);
            socket.send_to(bytes, from).map(drop)
        }
    });
    let server = server.unwrap();
    server.start().unwrap();
    settle(); // it waits for a datagram
    pool.spawn_detached({
        let free = free.clone();
        move || free.wait()
    });
    let socket = client();
    for number in 0..3 {
        socket.send_to(&[number], server.local_addr()).unwrap();
    }
    until(|| pool.waiting() == 1);
    settle();
    assert_eq!((begun.get(), pool.running()), (0, 1));
    free.set();
    for number in 0..3 {
        let mut byte = [9];
        socket.recv_from(&mut byte).unwrap();
        assert_eq!(byte, [number]);
    }
}

#[test]
fn what_is_too_long_loses_its_end() {
    let server = DatagramServer::builder()
        .max_datagram(4)
        .bind("127.0.0.1:0", |bytes, from, s| s.send_to(bytes, from).map(drop));
    let server = server.unwrap();
    server.start().unwrap();
    let socket = client();
    socket.send_to(b"longer", server.local_addr()).unwrap();
    let mut answer = [0; 9];
    assert_eq!(socket.recv_from(&mut answer).unwrap().0, 4);
    assert_eq!(&answer[..4], b"long");
}

#[test]
fn a_server_of_datagrams_longer_than_memory_does_not_start() {
    let server = DatagramServer::builder().max_datagram(usize::MAX);
    let server = server.bind("127.0.0.1:0", |_, _, _| ()).unwrap();
    assert!(server.start().is_err());
    assert!(server.serve_forever().is_err() && !server.is_started());
}

/// Those of UNIX sockets may be longer than those of UDP.
#[test]
fn datagrams_are_as_long_as_the_server_has_room() {
    let address = std::env::temp_dir().join(format!("greenlet-long-{}", std::process::id()));
    let _ = std::fs::remove_file(&address);
    let (said, heard) = (Rc::new(Cell::new(0)), Rc::new(Event::new()));
    let (length, has_come) = (said.clone(), heard.clone());
    let server = DatagramServer::builder().max_datagram(100_000);
    let server = server.bind_unix(&address, move |bytes, _, _| {
        length.set(bytes.len());
        has_come.set();
    });
    let server = server.unwrap();
    server.start().unwrap();
    UnixDatagram::unbound().unwrap().send_to(&[7; 90_000], &address).unwrap();
    heard.wait();
    assert_eq!(said.get(), 90_000);
}

/// The answer finds nobody, which the socket is told at its next use.
#[test]
fn clients_that_are_gone_harm_nobody() {
    let server = echo_server();
    for _ in 0..20 {
        client().send_to(b"and away", server.local_addr()).unwrap();
        asks(&server, b"well");
    }
    assert!(server.is_accepting());
}

/// Those who handle when it is stopped can still answer.
#[test]
fn stopped_with_a_grace_it_still_answers() {
    let free = Rc::new(Event::new());
    let server = DatagramServer::bind("127.0.0.1:0", {
        let free = free.clone();
        move |bytes, from, socket| {
            free.wait();
            socket.send_to(bytes, from).map(drop)
        }
    });
    let server = Rc::new(server.unwrap());
    server.start().unwrap();
    let socket = client();
    socket.send_to(b"slow", server.local_addr()).unwrap();
    until(|| server.running() == 1);
    let stopping = spawn({
        let server = server.clone();
        move || server.stop(LONG)
    });
    settle();
    free.set();
    assert_eq!(socket.recv_from(&mut [0; 9]).unwrap().0, 4);
    assert_eq!(stopping.join().unwrap(), 0);
}

#[test]
fn those_who_do_not_end_are_killed() {
    let server = DatagramServer::bind("127.0.0.1:0", |_, _, _| greenlet::sleep(LONG)).unwrap();
    server.start().unwrap();
    client().send_to(b"x", server.local_addr()).unwrap();
    until(|| server.running() == 1);
    assert_eq!((server.stop(SHORT), server.running()), (1, 0));
}

#[test]
fn a_handler_ends_the_server() {
    let server = DatagramServer::bind("127.0.0.1:0", |bytes, _, _| match bytes {
        b"stop" => Err(StopServe),
        _ => Ok(()),
    });
    let server = Rc::new(server.unwrap());
    let serving = spawn({
        let server = server.clone();
        move || server.serve_forever().unwrap()
    });
    let socket = client();
    socket.send_to(b"go on", server.local_addr()).unwrap();
    socket.send_to(b"stop", server.local_addr()).unwrap();
    serving.join().unwrap();
    assert!(server.is_closed());
}
