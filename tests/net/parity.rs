//! What std's sockets say, ours say: the same calls on both, side by side.

use crate::{pair, raw};
use greenlet::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::time::Duration;

/// Runs the same code with a type of ours and with std's.
macro_rules! both {
    ($(let $name:ident = $ours:expr, $std:expr;)* $body:block) => {{
        let ours = { $(let $name = $ours;)* $body };
        let std = { $(let $name = $std;)* $body };
        assert_eq!(ours, std);
    }};
}

const LOOPBACK: &str = "127.0.0.1:0";

#[test]
fn options_of_a_tcp_stream() {
    let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap();
    both! {
        let stream = TcpStream::connect(address).unwrap(), std::net::TcpStream::connect(address).unwrap();
        {
            let mut seen = vec![stream.nodelay().unwrap().to_string(), stream.ttl().unwrap().to_string()];
            stream.set_nodelay(true).unwrap();
            stream.set_ttl(33).unwrap();
            seen.push(format!("{} {}", stream.nodelay().unwrap(), stream.ttl().unwrap()));
            seen.push(format!("{:?}", stream.take_error().unwrap().map(|e| e.kind())));
            seen.push(stream.peer_addr().unwrap().to_string());
            seen.push(stream.local_addr().unwrap().ip().to_string());
            let zero = stream.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
            seen.push(format!("{:?} {zero}", zero.kind()));
            let long = Some(Duration::from_secs(7));
            stream.set_read_timeout(long).unwrap();
            stream.set_write_timeout(long).unwrap();
            assert_eq!((stream.read_timeout().unwrap(), stream.write_timeout().unwrap()), (long, long));
            let other = stream.try_clone().unwrap();
            seen.push(format!("{}", other.local_addr().unwrap() == stream.local_addr().unwrap()));
            stream.shutdown(Shutdown::Write).unwrap();
            seen.push(format!("{:?}", (&stream).write(b"x").map_err(|e| e.kind())));
            stream.shutdown(Shutdown::Both).unwrap();
            seen.push(format!("{:?}", (&stream).read(&mut [0; 3]).map_err(|e| e.kind())));
            seen
        }
    }
}

#[test]
fn errors_of_connecting_and_binding() {
    let taken = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let address = taken.local_addr().unwrap();
    let free = { std::net::TcpListener::bind(LOOPBACK).unwrap().local_addr().unwrap() };
    let kind =
        |result: Result<(), std::io::Error>| result.map_err(|e| (e.kind(), e.raw_os_error()));
    let none: &[SocketAddr] = &[];
    both! {
        let connect = |to: SocketAddr| TcpStream::connect(to).map(drop), |to: SocketAddr| std::net::TcpStream::connect(to).map(drop);
        let several = |to: &[SocketAddr]| TcpStream::connect(to).map(drop), |to: &[SocketAddr]| std::net::TcpStream::connect(to).map(drop);
        let timed = |to: SocketAddr, t| TcpStream::connect_timeout(&to, t).map(drop), |to: SocketAddr, t| std::net::TcpStream::connect_timeout(&to, t).map(drop);
        let bind = |to: SocketAddr| TcpListener::bind(to).map(drop), |to: SocketAddr| std::net::TcpListener::bind(to).map(drop);
        let udp = |to: SocketAddr| UdpSocket::bind(to).map(drop), |to: SocketAddr| std::net::UdpSocket::bind(to).map(drop);
        let unix = |to: &str| UnixStream::connect(to).map(drop), |to: &str| std::os::unix::net::UnixStream::connect(to).map(drop);
        let unix_bind = |to: &str| UnixListener::bind(to).map(drop), |to: &str| std::os::unix::net::UnixListener::bind(to).map(drop);
        {
            [
                kind(connect(free)),
                kind(several(&[free, address])),
                kind(several(&[free, free])),
                kind(several(none)),
                kind(timed(free, Duration::from_secs(3))),
                kind(timed(free, Duration::ZERO)),
                kind(bind(address)),
                kind(bind("192.0.2.1:0".parse().unwrap())),
                kind(udp("192.0.2.1:0".parse().unwrap())),
                kind(unix("/nowhere/at/all")),
                kind(unix(&"long".repeat(50))),
                kind(unix("with\0zero")),
                kind(unix_bind("/nowhere/at/all")),
            ]
        }
    }
}

#[test]
fn names_are_looked_up() {
    let listener = TcpListener::bind("localhost:0").unwrap();
    let stream = TcpStream::connect(("localhost", listener.local_addr().unwrap().port())).unwrap();
    assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
}

#[test]
fn ipv6_addresses_come_through() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, from) = listener.accept().unwrap();
    assert_eq!(from, client.local_addr().unwrap());
    assert_eq!(server.peer_addr().unwrap(), from);
    let (a, b) = (UdpSocket::bind("[::1]:0").unwrap(), UdpSocket::bind("[::1]:0").unwrap());
    a.send_to(b"six", b.local_addr().unwrap()).unwrap();
    assert_eq!(b.recv_from(&mut [0; 9]).unwrap(), (3, a.local_addr().unwrap()));
}

#[test]
fn options_of_a_tcp_listener() {
    both! {
        let listener = TcpListener::bind(LOOPBACK).unwrap(), std::net::TcpListener::bind(LOOPBACK).unwrap();
        {
            let before = listener.ttl().unwrap();
            listener.set_ttl(44).unwrap();
            let other = listener.try_clone().unwrap();
            listener.set_nonblocking(true).unwrap();
            let accepted = listener.accept().map(drop).map_err(|e| (e.kind(), e.raw_os_error()));
            let next = listener.incoming().next().unwrap().map(drop).map_err(|e| e.kind());
            let error = listener.take_error().unwrap().map(|e| e.kind());
            (before, other.ttl().unwrap(), accepted, next, error)
        }
    }
}

#[test]
fn options_of_a_udp_socket() {
    let all = Ipv4Addr::UNSPECIFIED;
    let group = Ipv4Addr::new(224, 0, 0, 199);
    both! {
        let socket = UdpSocket::bind(LOOPBACK).unwrap(), std::net::UdpSocket::bind(LOOPBACK).unwrap();
        {
            let before = format!(
                "{:?} {:?} {:?} {:?}",
                socket.broadcast().unwrap(), socket.ttl().unwrap(),
                socket.multicast_loop_v4().unwrap(), socket.multicast_ttl_v4().unwrap()
            );
            socket.set_broadcast(true).unwrap();
            socket.set_ttl(9).unwrap();
            socket.set_multicast_loop_v4(false).unwrap();
            socket.set_multicast_ttl_v4(5).unwrap();
            let joined = socket.join_multicast_v4(&group, &all).map_err(|e| e.kind());
            let left = socket.leave_multicast_v4(&group, &all).map_err(|e| e.kind());
            let no_peer = socket.send(b"x").map_err(|e| e.raw_os_error());
            let nobody: &[SocketAddr] = &[];
            let no_address = socket.send_to(b"x", nobody).map_err(|e| e.kind());
            let after = format!(
                "{:?} {:?} {:?} {:?} {:?}",
                socket.broadcast().unwrap(), socket.ttl().unwrap(),
                socket.multicast_loop_v4().unwrap(), socket.multicast_ttl_v4().unwrap(),
                socket.peer_addr().map_err(|e| e.kind())
            );
            (before, joined, left, no_peer, no_address, after)
        }
    }
    let Ok(ours) = UdpSocket::bind("[::1]:0") else { return };
    ours.set_multicast_loop_v6(false).unwrap();
    assert!(!ours.multicast_loop_v6().unwrap());
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x99);
    assert_eq!(
        ours.join_multicast_v6(&group, 0).is_ok(),
        ours.leave_multicast_v6(&group, 0).is_ok()
    );
}

#[test]
fn unix_names_are_those_of_std() {
    let path = std::env::temp_dir().join(format!("greenlet-names-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
    let client = UnixStream::connect(&path).unwrap();
    assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path));
    assert!(client.local_addr().unwrap().is_unnamed());
    let (_, from) = listener.accept().unwrap();
    assert!(from.is_unnamed());
    std::fs::remove_file(&path).unwrap();

    // One who connects by a name of his own.
    let (here, there) = (pair::name(), pair::name());
    let (a, b) =
        (UnixDatagram::bind_addr(&here).unwrap(), UnixDatagram::bind_addr(&there).unwrap());
    a.send_to_addr(b"abstract", &there).unwrap();
    let (length, from) = b.recv_from(&mut [0; 64]).unwrap();
    assert_eq!((length, from.as_abstract_name()), (8, here.as_abstract_name()));
    assert_eq!(a.local_addr().unwrap().as_abstract_name(), here.as_abstract_name());

    let path = std::env::temp_dir().join(format!("greenlet-datagram-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let c = UnixDatagram::bind(&path).unwrap();
    a.send_to(b"by path", &path).unwrap();
    assert_eq!(c.recv_from(&mut [0; 64]).unwrap().0, 7);
    c.connect_addr(&there).unwrap();
    c.send(b"from path").unwrap();
    let (length, from) = b.recv_from(&mut [0; 64]).unwrap();
    assert_eq!((length, from.as_pathname()), (9, Some(&*path)));
    assert_eq!(c.peer_addr().unwrap().as_abstract_name(), there.as_abstract_name());
    c.shutdown(Shutdown::Both).unwrap();
    assert_eq!(c.recv(&mut [0; 9]).unwrap(), 0);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn vectored_calls_fill_one_buffer_after_the_other() {
    let (mut a, mut b) = pair::tcp();
    let sent = a.write_vectored(&[IoSlice::new(b"one"), IoSlice::new(b""), IoSlice::new(b"two")]);
    assert_eq!(sent.unwrap(), 6);
    let (mut x, mut y) = ([0; 2], [0; 9]);
    assert_eq!(
        b.read_vectored(&mut [IoSliceMut::new(&mut x), IoSliceMut::new(&mut y)]).unwrap(),
        6
    );
    assert_eq!((&x, &y[..4]), (b"on", &b"etwo"[..]));
    // More buffers than the kernel takes at once.
    let many: Vec<_> = std::iter::repeat_n(IoSlice::new(b"x"), 3000).collect();
    assert_eq!(a.write_vectored(&many).unwrap(), 1024);
    assert_eq!(a.write_vectored(&[]).unwrap(), 0);
}

#[test]
fn peeking_leaves_what_it_sees() {
    let (mut a, mut b) = pair::tcp();
    a.write_all(b"seen").unwrap();
    let mut four = [0; 4];
    assert_eq!((b.peek(&mut four).unwrap(), &four), (4, b"seen"));
    assert_eq!(b.peek(&mut [0; 2]).unwrap(), 2);
    b.read_exact(&mut four).unwrap();
    assert_eq!(&four, b"seen");
}

#[test]
fn they_are_shown_as_std_shows_them() {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let text = format!("{listener:?}");
    let fd = listener.as_raw_fd();
    assert_eq!(
        text,
        format!("TcpListener {{ addr: {}, fd: {fd} }}", listener.local_addr().unwrap())
    );
    let std = std::net::TcpListener::from(listener);
    assert_eq!(text, format!("{std:?}"));
    let stream = std::net::TcpStream::connect(std.local_addr().unwrap()).unwrap();
    assert_eq!(format!("{stream:?}"), format!("{:?}", TcpStream::from(stream)));
    let socket = UdpSocket::bind(LOOPBACK).unwrap();
    assert_eq!(format!("{socket:?}"), format!("{:?}", std::net::UdpSocket::from(socket)));
}

#[test]
fn a_socket_of_stds_comes_in_blocking_or_not_and_goes_out_blocking() {
    for nonblocking in [false, true] {
        let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
        a.set_nonblocking(nonblocking).unwrap();
        a.set_read_timeout(Some(Duration::from_secs(9))).unwrap();
        let ours = UnixStream::from(a);
        assert_eq!(ours.read_timeout().unwrap(), Some(Duration::from_secs(9)));
        let reader = greenlet::spawn(move || {
            let mut text = [0; 4];
            (&ours).read_exact(&mut text).unwrap();
            (ours, text)
        });
        pair::settle();
        assert!(!reader.is_finished(), "it waits, whatever mode it came in");
        (&b).write_all(b"text").unwrap();
        let (ours, text) = reader.join().unwrap();
        assert_eq!(&text, b"text");
        ours.set_write_timeout(Some(Duration::from_secs(8))).unwrap();
        let std = std::os::unix::net::UnixStream::from(ours);
        assert!(!raw::is_nonblocking(&std));
        assert_eq!(std.read_timeout().unwrap(), Some(Duration::from_secs(9)));
        assert_eq!(std.write_timeout().unwrap(), Some(Duration::from_secs(8)));
    }
}

#[test]
fn limits_that_were_taken_away_do_not_come_back() {
    macro_rules! there_and_back {
        ($ours:ty, $std:ty, $socket:expr) => {
            let long = Some(Duration::from_secs(9));
            let mut std: $std = $socket;
            for (reading, writing) in [(None, long), (long, None), (None, None)] {
                std.set_read_timeout(long).unwrap();
                std.set_write_timeout(long).unwrap();
                let ours = <$ours>::from(std);
                ours.set_read_timeout(reading).unwrap();
                ours.set_write_timeout(writing).unwrap();
                std = <$std>::from(ours);
                let limits = (std.read_timeout().unwrap(), std.write_timeout().unwrap());
                assert_eq!(limits, (reading, writing), stringify!($ours));
            }
        };
    }
    use std::os::unix::net;
    there_and_back!(TcpStream, std::net::TcpStream, pair::tcp().0.into());
    there_and_back!(UdpSocket, std::net::UdpSocket, std::net::UdpSocket::bind(LOOPBACK).unwrap());
    there_and_back!(UnixStream, net::UnixStream, net::UnixStream::pair().unwrap().0);
    there_and_back!(UnixDatagram, net::UnixDatagram, net::UnixDatagram::unbound().unwrap());
}

#[test]
fn descriptors_come_in_and_go_out() {
    let (a, mut b) = pair::tcp();
    assert_eq!(a.as_fd().as_raw_fd(), a.as_raw_fd());
    let number = a.into_raw_fd();
    let a = raw::stream(number);
    let mut a = TcpStream::from(OwnedFd::from(a));
    b.write_all(b"still").unwrap();
    a.read_exact(&mut [0; 5]).unwrap();
    drop(a);
    assert_eq!(b.read(&mut [0; 5]).unwrap(), 0);
}

#[test]
fn every_socket_is_closed_on_exec() {
    let listener = pair::listen();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let clone = server.try_clone().unwrap();
    let (unix, _) = pair::unix();
    for it in [listener.as_fd(), client.as_fd(), server.as_fd(), clone.as_fd(), unix.as_fd()] {
        assert!(raw::is_closed_on_exec(&it));
    }
}

#[test]
fn a_closed_socket_says_so() {
    let (a, _b) = pair::tcp();
    a.close().unwrap();
    assert_eq!(a.as_raw_fd(), -1);
    let kinds = [
        a.peer_addr().unwrap_err().kind(),
        a.set_nodelay(true).unwrap_err().kind(),
        a.try_clone().unwrap_err().kind(),
        (&a).read(&mut [0; 1]).unwrap_err().kind(),
        (&a).write(b"x").unwrap_err().kind(),
        a.set_nonblocking(true).unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::NotConnected; 6]);
    assert!(format!("{a:?}").contains("-1"));
    let into = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| OwnedFd::from(a)));
    assert!(into.is_err(), "there is no descriptor to give away");
}
