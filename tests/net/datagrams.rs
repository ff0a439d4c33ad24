//! Datagrams: whole, in order, to one receiver each.

use crate::in_child::while_no_child_begins;
use crate::pair;
use greenlet::net::{UdpSocket, UnixDatagram};
use std::io::ErrorKind;
use std::rc::Rc;

fn udp_pair() -> (UdpSocket, UdpSocket) {
    let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    a.connect(b.local_addr().unwrap()).unwrap();
    b.connect(a.local_addr().unwrap()).unwrap();
    (a, b)
}

#[test]
fn they_arrive_whole_and_empty_ones_too() {
    let (a, b) = udp_pair();
    for message in [&b"first"[..], b"", &[7; 9000]] {
        assert_eq!(a.send(message).unwrap(), message.len());
        let mut buffer = vec![0; 10_000];
        let length = b.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], message);
    }
    a.send(b"too long for it").unwrap();
    a.send(b"next").unwrap();
    let mut four = [0; 4];
    assert_eq!((b.recv(&mut four).unwrap(), &four), (4, b"too "));
    assert_eq!((b.recv(&mut four).unwrap(), &four), (4, b"next"), "the rest was lost");
}

#[test]
fn nobody_there_is_an_error_once_and_no_end() {
    let (a, b) = udp_pair();
    let address = b.local_addr().unwrap();
    let reader = Rc::new(a);
    let same = reader.clone();
    let task = greenlet::spawn(move || same.recv(&mut [0; 9]));
    pair::settle();
    drop(b);
    while_no_child_begins(|| reader.send(b"to nobody")).unwrap();
    assert_eq!(task.join().unwrap().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    // Afterwards it receives as before.
    let same = reader.clone();
    let task = greenlet::spawn(move || same.recv(&mut [0; 9]));
    pair::settle();
    assert!(!task.is_finished(), "{:?}", task.join());
    let b = UdpSocket::bind(address).unwrap();
    b.send_to(b"late", reader.local_addr().unwrap()).unwrap();
    assert_eq!(task.join().unwrap().unwrap(), 4);
}

#[test]
fn broadcast_and_groups_on_loopback() {
    let receiver = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = receiver.local_addr().unwrap().port();
    let group = std::net::Ipv4Addr::new(239, 255, 7, 7);
    let loopback = std::net::Ipv4Addr::LOCALHOST;
    if receiver.join_multicast_v4(&group, &loopback).is_err() {
        return; // a machine without
    }
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.set_multicast_loop_v4(true).unwrap();
    let refused = sender.send_to(b"x", ("127.255.255.255", port)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    sender.set_broadcast(true).unwrap();
    sender.send_to(b"broadcast", ("127.255.255.255", port)).unwrap();
    assert_eq!(receiver.recv(&mut [0; 64]).unwrap(), 9);
}

/// The receiver's queue is full, in several ways: what waits is sent once, whole, when there is room.
#[test]
fn what_waits_for_room_arrives_once_and_whole() {
    for (named, short) in [(false, true), (false, false), (true, true), (true, false)] {
        let name = pair::name();
        let receiver = UnixDatagram::bind_addr(&name).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        if !named {
            sender.connect_addr(&name).unwrap();
        }
        let length = if short { 3 } else { 3000 };
        let task = greenlet::spawn(move || {
            for number in 0..100_u8 {
                let message = vec![number; length];
                let sent = match named {
                    true => sender.send_to_addr(&message, &name),
                    false => sender.send(&message),
                };
                assert_eq!(sent.unwrap(), length);
            }
        });
        pair::settle();
        assert!(!task.is_finished(), "the queue is full");
        for number in 0..100_u8 {
            let mut buffer = vec![0; 4000];
            let got = receiver.recv(&mut buffer).unwrap();
            assert_eq!((got, &buffer[..got]), (length, &vec![number; length][..]));
        }
        task.join().unwrap();
    }
}
