//! Servers with a name among the files.

use crate::until;
use greenlet::net::{UnixDatagram, UnixListener, UnixStream};
use greenlet::server::{DatagramServer, StreamServer};
use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;

/// A name that no other test has, and no file yet.
fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("greenlet-server-{}-{name}", std::process::id()))
}

fn ask(path: &PathBuf) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn hello(mut stream: UnixStream) -> std::io::Result<()> {
    stream.write_all(b"hello")
}

#[test]
fn the_file_goes_with_the_server_and_comes_again() {
    let path = path("streams");
    let server = StreamServer::bind_unix(&path, |stream, _| hello(stream)).unwrap();
    assert_eq!(server.local_addr().as_pathname(), Some(path.as_path()));
    for _ in 0..3 {
        server.start().unwrap();
        assert_eq!(ask(&path), "hello");
        server.close();
        assert!(!path.exists());
    }
    server.start().unwrap();
    drop(server);
    assert!(!path.exists());
}

#[test]
fn a_file_that_is_somebody_elses_by_now_stays() {
    let path = path("replaced");
    let server = StreamServer::bind_unix(&path, |stream, _| hello(stream)).unwrap();
    fs::remove_file(&path).unwrap();
    // Kept open, so that its inode is not given out again.
    let kept = StreamServer::bind_unix(&path, |mut stream: UnixStream, _| stream.write_all(b"new"));
    let kept = kept.unwrap();
    kept.start().unwrap();
    drop(server);
    assert_eq!(ask(&path), "new");
    drop(kept);
    assert!(!path.exists());
}

#[test]
fn the_file_of_a_listener_from_elsewhere_stays() {
    let path = path("foreign");
    let listener = UnixListener::bind(&path).unwrap();
    let server = StreamServer::new(listener, |stream, _| hello(stream)).unwrap();
    server.start().unwrap();
    assert_eq!(ask(&path), "hello");
    drop(server);
    assert!(path.exists());
    fs::remove_file(&path).unwrap();
}

#[test]
fn datagrams_are_answered_by_name() {
    let (path, mine) = (path("datagrams"), path("client"));
    let server = DatagramServer::bind_unix(&path, |bytes, from, socket| {
        socket.send_to_addr(bytes, &from).map(drop)
    })
    .unwrap();
    server.start().unwrap();
    let socket = UnixDatagram::bind(&mine).unwrap();
    socket.send_to(b"hello", &path).unwrap();
    let mut buffer = [0; 9];
    assert_eq!(socket.recv(&mut buffer).unwrap(), 5);
    assert_eq!(&buffer[..5], b"hello");
    server.close();
    until(|| server.running() == 0);
    assert!(!path.exists());
    fs::remove_file(&mine).unwrap();
}
