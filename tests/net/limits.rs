//! Time limits of sockets, calls that do not wait, and connections that do not come about.

use crate::pair::{self, Filled};
use crate::raw;
use greenlet::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram};
use greenlet::{spawn, timeout};
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

const SHORT: Option<Duration> = Some(Duration::from_millis(3));

#[test]
fn each_call_that_receives_is_limited() {
    let (a, b) = pair::tcp();
    a.set_read_timeout(SHORT).unwrap();
    let began = Instant::now();
    assert_eq!((&a).read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(began.elapsed() >= SHORT.unwrap());
    assert_eq!(a.peek(&mut [0; 1]).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(a.read_pooled().unwrap_err().kind(), ErrorKind::TimedOut);
    let vectored = (&a).read_vectored(&mut [std::io::IoSliceMut::new(&mut [0; 1])]);
    assert_eq!(vectored.unwrap_err().kind(), ErrorKind::TimedOut);
    // Afterwards it reads as before.
    (&b).write_all(b"late").unwrap();
    assert_eq!((&a).read(&mut [0; 9]).unwrap(), 4);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(SHORT).unwrap();
    assert_eq!(udp.recv_from(&mut [0; 1]).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(udp.peek_from(&mut [0; 1]).unwrap_err().kind(), ErrorKind::TimedOut);
    a.set_read_timeout(None).unwrap();
    assert!(timeout(SHORT.unwrap() * 3, || (&a).read(&mut [0; 1])).is_err(), "no limit any more");
}

#[test]
fn each_call_that_sends_is_limited() {
    let (a, b) = pair::tcp();
    let sent = a.fill(&b);
    a.set_write_timeout(SHORT).unwrap();
    assert_eq!((&a).write(b"x").unwrap_err().kind(), ErrorKind::TimedOut);
    b.drain(sent);
    assert_eq!((&a).write(b"x").unwrap(), 1);
    for named in [false, true] {
        let name = pair::name();
        let receiver = UnixDatagram::bind_addr(&name).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.connect_addr(&name).unwrap();
        let sent = sender.fill(&receiver);
        let other = UnixDatagram::unbound().unwrap();
        for it in [&sender, &other] {
            it.set_write_timeout(SHORT).unwrap();
        }
        let late = if named { other.send_to_addr(b"x", &name) } else { sender.send(b"x") };
        if !named || late.is_err() {
            assert_eq!(late.unwrap_err().kind(), ErrorKind::TimedOut);
        }
        receiver.drain(sent);
        assert_eq!(sender.send(b"x").unwrap(), 1);
    }
}

#[test]
fn a_long_limit_does_not_hold_anything_up() {
    let (mut a, mut b) = pair::tcp();
    a.set_read_timeout(Some(Duration::MAX)).unwrap();
    let reader = spawn(move || a.read(&mut [0; 9]).unwrap());
    pair::settle();
    b.write_all(b"soon").unwrap();
    assert_eq!(reader.join().unwrap(), 4);
}

#[test]
fn calls_that_must_not_wait_take_what_is_there() {
    let (mut a, mut b) = pair::tcp();
    a.set_nonblocking(true).unwrap();
    for _ in 0..3 {
        assert_eq!(a.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(a.read_pooled().unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(a.peek(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
        b.write_all(b"there").unwrap();
        assert_eq!(a.peek(&mut [0; 9]).unwrap(), 5);
        assert_eq!(a.read(&mut [0; 2]).unwrap(), 2);
        assert_eq!(a.read_pooled().unwrap().len(), 3);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    listener.set_nonblocking(false).unwrap();
    assert!(timeout(SHORT.unwrap(), || listener.accept()).is_err(), "it waits again");
    assert!(timeout(SHORT.unwrap(), || (&stream).read(&mut [0; 1])).is_err(), "so does the stream");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    assert_eq!(udp.recv_from(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    udp.send_to(b"self", udp.local_addr().unwrap()).unwrap();
    assert_eq!(udp.recv_from(&mut [0; 9]).unwrap().0, 4);
    drop(b);
    assert_eq!(a.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_connection_that_nobody_answers_times_out() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    raw::set_backlog(&listener, 0);
    let address = listener.local_addr().unwrap();
    // The kernel takes one or two, and then says nothing any more.
    let mut taken = Vec::new();
    let error = loop {
        match TcpStream::connect_timeout(&address, Duration::from_millis(20)) {
            Ok(stream) => taken.push(stream),
            Err(error) => break error,
        }
        assert!(taken.len() < 10);
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    // Others run meanwhile, and whoever waits can be killed, or limited from outside.
    let task = spawn(move || TcpStream::connect(address).map(drop));
    pair::settle();
    task.kill();
    assert!(task.join().unwrap_err().is_killed());
    assert!(timeout(SHORT.unwrap(), || TcpStream::connect(address)).is_err());
}

#[test]
fn the_second_address_is_tried_when_the_first_refuses() {
    let free = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    let listener = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    let stream = TcpStream::connect(&[free, address][..]).unwrap();
    assert_eq!(stream.peer_addr().unwrap(), address);
}
