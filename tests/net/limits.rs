//! Time limits of sockets, calls that do not wait, and connections that do not come about.

use crate::pair::{self, Filled};
use crate::raw;
use greenlet::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram};
use greenlet::{JoinHandle, Timeout, sleep, spawn, timeout, yield_now};
use std::cell::OnceCell;
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

const SHORT: Option<Duration> = Some(Duration::from_millis(3));
/// Nobody answers for so long: well below the second after which the kernel asks again.
const SILENCE: Duration = Duration::from_millis(500);

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
    let (a, b) = pair::narrow_tcp();
    let sent = a.fill(&b);
    a.set_write_timeout(SHORT).unwrap();
    assert_eq!((&a).write(b"x").unwrap_err().kind(), ErrorKind::TimedOut);
    b.drain(sent);
    a.set_write_timeout(None).unwrap();
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
        sender.set_write_timeout(None).unwrap();
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
        match TcpStream::connect_timeout(&address, SILENCE) {
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

/// Lets `call` wait until a limit of its own passes, and the limit be cancelled in the same round: then it is
/// not raised, and the call has to go on as if there had been none.
fn go_on_without_a_limit<T: 'static>(call: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    let limit = Rc::new(OnceCell::new());
    let same = limit.clone();
    let caller = spawn(move || {
        assert!(same.set(Timeout::start(Duration::from_millis(5))).is_ok());
        call()
    });
    let canceller = spawn(move || {
        sleep(Duration::from_millis(6));
        limit.get().unwrap().cancel();
    });
    yield_now();
    // Both times are over when the hub looks again; the canceller runs behind the caller.
    std::thread::sleep(Duration::from_millis(20));
    canceller.join().unwrap();
    pair::settle();
    caller
}

#[test]
fn a_call_goes_on_whose_limit_is_cancelled_in_time() {
    let (mut a, mut b) = pair::tcp();
    let reader = go_on_without_a_limit(move || a.read(&mut [0; 1]));
    assert!(!reader.is_finished(), "{:?}", reader.join());
    b.write_all(b"x").unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), 1);
    // What the socket itself allows is counted from the beginning.
    let (mut a, _b) = pair::tcp();
    a.set_read_timeout(Some(Duration::from_millis(40))).unwrap();
    let began = Instant::now();
    let reader = go_on_without_a_limit(move || {
        let result = a.read(&mut [0; 1]);
        (result, began.elapsed())
    });
    let (result, took) = reader.join().unwrap();
    assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(took >= Duration::from_millis(40));
}

#[test]
fn a_connection_comes_about_whose_limit_is_cancelled_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    raw::set_backlog(&listener, 0);
    let address = listener.local_addr().unwrap();
    let fill = || TcpStream::connect_timeout(&address, SILENCE);
    let taken: Vec<_> = std::iter::from_fn(|| fill().ok()).take(10).collect();
    assert!(taken.len() < 10);
    let connecting = go_on_without_a_limit(move || TcpStream::connect(address));
    assert!(!connecting.is_finished(), "{:?}", connecting.join());
    // The kernel asks again after a second, for as long as nobody answers.
    for _ in &taken {
        listener.accept().unwrap();
    }
    let stream = connecting.join().unwrap().unwrap();
    assert_eq!(stream.peer_addr().unwrap(), address);
    assert!(stream.take_error().unwrap().is_none());
}
