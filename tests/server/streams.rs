//! Connections and their handlers.

use crate::in_child::{in_child, this_test};
use crate::{LONG, Trace, asks, client, echo_server, settle, until};
use greenlet::net::{TcpListener, TcpStream};
use greenlet::server::StreamServer;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;

#[test]
fn each_connection_has_a_handler_of_its_own() {
    let server = echo_server();
    let clients: Vec<_> = (0..20).map(|_| client(&server)).collect();
    for (number, stream) in clients.iter().enumerate().rev() {
        asks(stream, format!("client {number}").as_bytes());
    }
    assert_eq!(server.running(), 20);
    drop(clients);
    until(|| server.running() == 0);
    assert!(server.is_started() && server.is_accepting() && !server.is_closed());
}

#[test]
fn the_handler_is_told_from_where_a_connection_comes() {
    let trace = Trace::default();
    let seen = trace.clone();
    let server = StreamServer::bind("127.0.0.1:0", move |stream, from| {
        assert_eq!(stream.peer_addr().unwrap(), from);
        seen.note(from.to_string());
    })
    .unwrap();
    assert_ne!(server.local_addr().port(), 0);
    server.start().unwrap();
    let mut stream = client(&server);
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "closed when its handler has returned");
    assert_eq!(trace.take(), [stream.local_addr().unwrap().to_string()]);
}

#[test]
fn connections_that_come_before_the_start_wait() {
    let server = StreamServer::bind("127.0.0.1:0", |stream, _| crate::echo(stream)).unwrap();
    assert!(!server.is_started() && !server.is_accepting());
    let stream = client(&server);
    settle();
    assert_eq!(server.running(), 0);
    server.start().unwrap();
    server.start().unwrap(); // which changes nothing
    asks(&stream, b"late");
}

#[test]
fn a_handler_that_panics_is_reported_and_ends_nothing_else() {
    let outcome = in_child(this_test!(), || {
        let server = StreamServer::builder()
            .name("brittle")
            .bind("127.0.0.1:0", |mut stream: TcpStream, _| {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                assert_ne!(&byte, b"!", "that one");
                stream.write_all(&byte).unwrap();
            })
            .unwrap();
        server.start().unwrap();
        let (good, mut bad) = (client(&server), client(&server));
        bad.write_all(b"!").unwrap();
        assert_eq!(bad.read(&mut [0; 1]).unwrap(), 0, "its connection is closed");
        asks(&good, b"?");
        asks(&client(&server), b"?");
        assert!(server.is_started());
    });
    outcome.exited_with(0).says("that one").says("'brittle'").says("nobody asked for its result");
}

#[test]
fn errors_of_handlers_are_their_own() {
    let outcome = in_child(this_test!(), || {
        let server = StreamServer::bind("127.0.0.1:0", |_, _| -> io::Result<()> {
            Err(ErrorKind::InvalidData.into())
        })
        .unwrap();
        server.start().unwrap();
        for _ in 0..3 {
            assert_eq!(client(&server).read(&mut [0; 1]).unwrap(), 0);
        }
        assert!(server.is_accepting());
    });
    outcome.exited_with(0).says_only(&[]);
}

/// Some are reset before they are accepted, some while they are read.
#[test]
fn clients_that_reset_harm_nobody() {
    let server = echo_server();
    let reset = |stream: TcpStream| {
        let off = libc::linger { l_onoff: 1, l_linger: 0 };
        set(&stream, libc::SO_LINGER, off);
        drop(stream);
    };
    for round in 0..50 {
        let stream = client(&server);
        if round % 2 == 0 {
            asks(&stream, b"first");
        }
        reset(stream);
        if round % 10 == 0 {
            asks(&client(&server), b"well");
        }
    }
    until(|| server.running() == 0);
    asks(&client(&server), b"still");
}

fn set<T>(socket: &impl AsRawFd, option: i32, value: T) {
    let length = size_of::<T>() as libc::socklen_t;
    let fd = socket.as_raw_fd();
    // SAFETY: the value has that length.
    let result = unsafe {
        libc::setsockopt(fd, libc::SOL_SOCKET, option, (&raw const value).cast(), length)
    };
    assert_eq!(result, 0);
}

fn option(socket: &impl AsRawFd, option: i32) -> i32 {
    let (mut value, mut length) = (0, 4);
    let (fd, value_at) = (socket.as_raw_fd(), (&raw mut value).cast());
    // SAFETY: an integer, and its length.
    let result =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, option, value_at, &raw mut length) };
    assert_eq!(result, 0);
    value
}

#[test]
fn options_are_set_before_it_listens() {
    let trace = Trace::default();
    for (reuses, reuses_port) in [(true, false), (false, true)] {
        let seen = trace.clone();
        let server = StreamServer::builder()
            .reuse_addr(reuses)
            .reuse_port(reuses_port)
            .backlog(3)
            .pre_start(move |socket| {
                let addr = option(&socket, libc::SO_REUSEADDR);
                let port = option(&socket, libc::SO_REUSEPORT);
                let listens = option(&socket, libc::SO_ACCEPTCONN);
                seen.note(format!("{addr} {port} {listens}"));
                Ok(())
            })
            .bind("127.0.0.1:0", |_, _| ())
            .unwrap();
        server.start().unwrap();
    }
    assert_eq!(trace.take(), ["1 0 1", "0 1 1"]);
}

#[test]
fn an_error_of_the_hook_is_that_of_start() {
    let server = StreamServer::builder()
        .pre_start(|_| Err(ErrorKind::PermissionDenied.into()))
        .bind("127.0.0.1:0", |_, _| ())
        .unwrap();
    assert_eq!(server.start().unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(server.serve_forever().unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert!(!server.is_started() && !server.is_accepting());
}

#[test]
fn accepting_stops_and_goes_on() {
    let server = echo_server();
    let first = client(&server);
    asks(&first, b"one");
    server.stop_accepting();
    assert!(server.is_started() && !server.is_accepting());
    let second = client(&server);
    settle();
    assert_eq!(server.running(), 1);
    asks(&first, b"still here");
    server.start_accepting().unwrap();
    asks(&second, b"two");
    server.close();
    assert_eq!(server.start_accepting().unwrap_err().kind(), ErrorKind::NotConnected);
}

#[test]
fn a_listener_from_elsewhere_is_served() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = StreamServer::new(listener, |stream, _| crate::echo(stream)).unwrap();
    assert_eq!(server.local_addr(), address);
    server.start().unwrap();
    asks(&client(&server), b"yes");
    server.close();
    assert_eq!(server.start().unwrap_err().kind(), ErrorKind::NotConnected);
}

#[test]
fn a_handler_has_the_stack_that_it_was_given() {
    let server = StreamServer::builder()
        .stack_size(1 << 20)
        .bind("127.0.0.1:0", |mut stream: TcpStream, _| {
            let left = greenlet::stack_remaining().unwrap();
            stream.write_all(&(left as u64).to_be_bytes())
        })
        .unwrap();
    server.start().unwrap();
    let mut bytes = [0; 8];
    client(&server).read_exact(&mut bytes).unwrap();
    assert!(u64::from_be_bytes(bytes) > 900_000);
}

/// The listener is shut down under it: that is nobody's connection.
#[test]
fn what_is_wrong_with_the_listener_ends_the_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let copy = listener.as_fd().try_clone_to_owned().unwrap();
    let server = Rc::new(StreamServer::new(listener, |_, _| ()).unwrap());
    let serving = greenlet::spawn({
        let server = server.clone();
        move || server.serve_forever()
    });
    until(|| server.is_accepting());
    std::net::TcpStream::from(copy).shutdown(Shutdown::Both).unwrap();
    let Ok(ended) = serving.join_timeout(LONG) else { panic!("it serves on") };
    assert_eq!(ended.unwrap().unwrap_err().raw_os_error(), Some(libc::EINVAL));
    assert!(server.is_closed() && !server.is_started());
}
