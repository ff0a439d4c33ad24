//! What a loop over `incoming` takes ahead: in order, and nothing is lost.

use crate::in_child::{in_child, this_test};
use crate::open_files::limit_open_files;
use crate::{pair, raw};
use greenlet::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use greenlet::{sleep, spawn, timeout, yield_now};
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

fn listen() -> (TcpListener, SocketAddr) {
    let listener = pair::listen();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn client(address: SocketAddr, number: u16) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(&number.to_le_bytes()).unwrap();
    client
}

fn clients(address: SocketAddr, numbers: std::ops::Range<u16>) -> Vec<TcpStream> {
    numbers.map(|number| client(address, number)).collect()
}

fn number(mut stream: TcpStream) -> u16 {
    let mut bytes = [0; 2];
    stream.read_exact(&mut bytes).unwrap();
    u16::from_le_bytes(bytes)
}

/// Makes sure that the kernel accepts ahead, where it does.
fn begin(listener: &TcpListener, address: SocketAddr) -> greenlet::net::Incoming<'_> {
    let mut incoming = listener.incoming();
    let _first = client(address, 999);
    assert_eq!(number(incoming.next().unwrap().unwrap()), 999);
    incoming
}

#[test]
fn a_thousand_come_in_the_order_of_their_connects() {
    let (listener, address) = listen();
    let server = spawn(move || {
        listener.incoming().take(1000).map(|stream| number(stream.unwrap())).collect::<Vec<_>>()
    });
    for number in 0..1000 {
        drop(client(address, number));
    }
    assert!(server.join().unwrap().into_iter().eq(0..1000));
}

#[test]
fn more_than_there_is_room_for_come_in_order_too() {
    let (listener, address) = listen();
    let mut incoming = begin(&listener, address);
    let mut all = Vec::new();
    for part in 0..4 {
        all.extend(clients(address, part * 30..part * 30 + 30));
        sleep(Duration::from_millis(1)); // whatever the kernel brings, it brings now
    }
    let taken = incoming.by_ref().take(120).map(|stream| number(stream.unwrap()));
    assert!(taken.eq(0..120));
}

#[test]
fn what_is_left_comes_first_in_later_calls() {
    let (listener, address) = listen();
    let mut incoming = begin(&listener, address);
    let mut all = clients(address, 0..6);
    sleep(Duration::from_millis(1));
    assert_eq!(number(incoming.next().unwrap().unwrap()), 0);
    drop(incoming);
    all.extend(clients(address, 6..8));
    let (stream, peer) = listener.accept().unwrap();
    assert_eq!((peer, number(stream)), (all[1].local_addr().unwrap(), 1));
    let taken = listener.incoming().take(3).map(|stream| number(stream.unwrap()));
    assert!(taken.eq(2..5));
    // Also when it has moved to another thread.
    let taken = std::thread::spawn(move || {
        let mut taken = vec![number(listener.accept().unwrap().0)];
        taken.extend(listener.incoming().take(2).map(|stream| number(stream.unwrap())));
        taken
    });
    assert_eq!(taken.join().unwrap(), [5, 6, 7]);
}

#[test]
fn an_accept_beside_a_loop_is_served_in_its_turn() {
    let (listener, address) = listen();
    let listener = Rc::new(listener);
    let mut incoming = begin(&listener, address);
    let same = listener.clone();
    let one = spawn(move || number(same.accept().unwrap().0));
    yield_now();
    let _all = clients(address, 0..2);
    assert_eq!(number(incoming.next().unwrap().unwrap()), 1);
    assert_eq!(one.join().unwrap(), 0);
    // One that waits when the loop ends goes on by itself.
    let same = listener.clone();
    let one = spawn(move || number(same.accept().unwrap().0));
    pair::settle();
    drop(incoming);
    let _third = client(address, 2);
    assert_eq!(one.join().unwrap(), 2);
}

#[test]
fn a_loop_begins_while_another_ends() {
    let (listener, address) = listen();
    let listener = Rc::new(listener);
    let incoming = begin(&listener, address);
    let same = listener.clone();
    let other = spawn(move || number(same.incoming().next().unwrap().unwrap()));
    drop(incoming);
    let _client = client(address, 7);
    assert_eq!(other.join().unwrap(), 7);
}

#[test]
fn kills_and_limits_lose_no_connection() {
    let (listener, address) = listen();
    let listener = Rc::new(listener);
    let mut incoming = begin(&listener, address);
    assert!(timeout(Duration::from_millis(2), || incoming.next()).is_err());
    let _first = client(address, 0);
    assert_eq!(number(incoming.next().unwrap().unwrap()), 0);
    drop(incoming);
    for number in 1..20 {
        let same = listener.clone();
        let killed = spawn(move || same.incoming().map(|stream| drop(stream.unwrap())).count());
        pair::settle();
        killed.kill();
        let _client = client(address, number);
        assert!(killed.join().unwrap_err().is_killed());
        assert_eq!(self::number(listener.accept().unwrap().0), number);
    }
}

#[test]
fn a_close_ends_the_loop_and_what_it_has_left() {
    let (listener, address) = listen();
    let listener = Rc::new(listener);
    let same = listener.clone();
    let begun = Rc::new(Cell::new(false));
    let says = begun.clone();
    let server = spawn(move || {
        let mut incoming = begin(&same, address);
        says.set(true);
        let error = incoming.next().unwrap().unwrap_err().kind();
        (error, incoming.next().unwrap().unwrap_err().kind())
    });
    while !begun.get() {
        sleep(Duration::from_millis(1));
    }
    pair::settle();
    listener.close().unwrap();
    assert_eq!(server.join().unwrap(), (ErrorKind::NotConnected, ErrorKind::NotConnected));

    let (listener, address) = listen();
    let incoming = begin(&listener, address);
    let all = clients(address, 0..3);
    sleep(Duration::from_millis(1));
    listener.close().unwrap();
    drop(incoming);
    all.iter().for_each(ended);
}

fn ended(mut client: &TcpStream) {
    match client.read(&mut [0]) {
        Ok(length) => assert_eq!(length, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn dropping_the_listener_closes_what_is_left() {
    let (listener, address) = listen();
    let incoming = begin(&listener, address);
    let all = clients(address, 0..3);
    sleep(Duration::from_millis(1));
    drop(incoming);
    drop(listener);
    all.iter().for_each(ended);
}

#[test]
fn a_loop_that_unwinds_hands_back_what_it_has_left() {
    let (listener, address) = listen();
    let mut all = Vec::new();
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _incoming = begin(&listener, address);
        all = clients(address, 0..3);
        sleep(Duration::from_millis(1));
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(unwound.is_err());
    assert!((0..3).all(|expected| number(listener.accept().unwrap().0) == expected));
}

#[test]
fn a_forgotten_loop_ends_with_its_listener() {
    let (listener, address) = listen();
    std::mem::forget(begin(&listener, address));
    let all = clients(address, 0..3);
    sleep(Duration::from_millis(1));
    assert_eq!(number(listener.accept().unwrap().0), 0);
    assert_eq!(number(listener.incoming().next().unwrap().unwrap()), 1);
    drop(listener);
    ended(&all[2]);

    // Elsewhere it is let go; the thread's end ends it.
    let (listener, address) = std::thread::spawn(|| {
        let (listener, address) = listen();
        std::mem::forget(begin(&listener, address));
        (listener, address)
    })
    .join()
    .unwrap();
    let server = spawn(move || number(listener.incoming().next().unwrap().unwrap()));
    // The kernel takes its time to cancel what a closed ring has left.
    let mut clients = Vec::new();
    while !server.is_finished() {
        // Reset, if what was left has taken it, or if the server meanwhile has what it wanted.
        if let Ok(mut client) = TcpStream::connect(address) {
            let _ = client.write_all(&5_u16.to_le_bytes());
            clients.push(client);
        }
        sleep(Duration::from_millis(1));
    }
    assert_eq!(server.join().unwrap(), 5);
}

#[test]
fn a_want_of_descriptors_ends_it_and_it_begins_again() {
    in_child(this_test!(), || {
        let (listener, address) = listen();
        let mut incoming = begin(&listener, address);
        let _all = clients(address, 0..10);
        limit_open_files(raw::next_number() as u64 + 3);
        let mut taken = Vec::new();
        for expected in 0..10 {
            if taken.len() == 3 {
                let oldest = std::mem::take(&mut taken);
                greenlet::spawn_detached(move || {
                    sleep(Duration::from_millis(3));
                    drop(oldest);
                });
            }
            let mut stream = incoming.next().unwrap().unwrap();
            let mut bytes = [0; 2];
            stream.read_exact(&mut bytes).unwrap();
            assert_eq!(u16::from_le_bytes(bytes), expected);
            taken.push(stream);
        }
    })
    .exited_with(0);
}

#[test]
fn unix_listeners_do_the_same() {
    let name = pair::name();
    let listener = UnixListener::bind_addr(&name).unwrap();
    let mut incoming = listener.incoming();
    let mut all: Vec<_> = (0..9).map(|_| UnixStream::connect_addr(&name).unwrap()).collect();
    for (number, client) in all.iter_mut().enumerate() {
        client.write_all(&[number as u8]).unwrap();
    }
    let first = |stream: UnixStream| stream.read_pooled().unwrap()[0];
    assert_eq!(first(incoming.next().unwrap().unwrap()), 0);
    drop(incoming);
    assert!((1..5).all(|expected| first(listener.accept().unwrap().0) == expected));
    drop(listener);
    assert!(matches!((&all[8]).read(&mut [0]), Ok(0) | Err(_)));
}
