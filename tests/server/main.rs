//! Servers, on the kernel's loopback.
#![expect(unsafe_code, reason = "system calls that std has no name for")]

#[path = "../support/in_child.rs"]
mod in_child;
#[path = "../support/open_files.rs"]
mod open_files;

mod convenience;
mod datagrams;
mod ending;
mod limits;
mod stopping;
mod streams;
mod unix;

use greenlet::net::TcpStream;
use greenlet::server::StreamServer;
use in_child::while_no_child_begins;
use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// A limit that must not pass.
const LONG: Duration = Duration::from_secs(60);
/// A limit that passes.
const SHORT: Duration = Duration::from_millis(20);

/// Lets the others run until all of them wait.
fn settle() {
    greenlet::idle();
}

/// Waits for what another greenlet, or the kernel, is about to do.
#[track_caller]
fn until(what: impl Fn() -> bool) {
    let late = std::time::Instant::now() + LONG;
    while !what() {
        assert!(std::time::Instant::now() < late, "it never happens");
        greenlet::sleep(Duration::from_millis(1));
    }
}

/// Short lines that are compared whole.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    fn note(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => stream.write_all(&buffer[..read])?,
        }
    }
}

fn echo_server() -> StreamServer {
    let server = StreamServer::bind("127.0.0.1:0", |stream, _| echo(stream)).unwrap();
    server.start().unwrap();
    server
}

/// Nobody listens there any more.
#[track_caller]
fn refused(address: SocketAddr) {
    let error = while_no_child_begins(|| TcpStream::connect(address)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

fn client(server: &StreamServer) -> TcpStream {
    TcpStream::connect(server.local_addr()).unwrap()
}

/// Sends a word and takes it back.
fn asks(mut stream: &TcpStream, word: &[u8]) {
    stream.write_all(word).unwrap();
    let mut answer = vec![0; word.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, word);
}
