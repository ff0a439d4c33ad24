//! A minimal HTTP/1.1 server that says hello and keeps connections open, one greenlet each, written
//! as if it could block.
//!
//! ```text
//! cargo run --release --example httpd -- 127.0.0.1:8080
//! ```
//!
//! Requests may come in pieces and several at a time. Garbage gets a 400; who takes longer than half
//! a minute for a request and its answer is dropped.

use greenlet::net::{TcpListener, TcpStream};
use greenlet::{timeout, try_spawn};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\n";
const HELLO: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nHello, world!\n";
const LAST_HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\
                            Connection: close\r\n\r\nHello, world!\n";
const BAD: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// For a request and its answer, the wait for its first byte included.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long we listen to a client after our last word to it.
const FAREWELL: Duration = Duration::from_secs(1);
/// No head of a request is longer.
const LONGEST: usize = 4096;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&*address)?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        // An error is that of one client, which has left already: when files run out, `incoming`
        // waits until there are some again.
        let Ok(stream) = stream else { continue };
        if let Err(why) = try_spawn(move || drop(serve(&stream))) {
            eprintln!("a client is sent away: {why}");
        }
    }
    Ok(())
}

/// Answers requests until the client has enough, or has made no sense.
fn serve(stream: &TcpStream) -> io::Result<()> {
    let mut requests = Requests { stream, buffer: [0; LONGEST], filled: 0 };
    while let Ok(going_on) = timeout(PATIENCE, || requests.serve_one()) {
        if !going_on? {
            return farewell(stream);
        }
    }
    Ok(())
}

struct Requests<'a> {
    stream: &'a TcpStream,
    /// What was received and not answered yet: the beginning of the next request, or several.
    buffer: [u8; LONGEST],
    filled: usize,
}

impl Requests<'_> {
    /// Answers the next request; says whether there may be another.
    fn serve_one(&mut self) -> io::Result<bool> {
        let end = loop {
            if let Some(end) = end_of_head(&self.buffer[..self.filled]) {
                break end;
            }
            if self.filled == LONGEST {
                self.stream.write_all(BAD)?;
                return Ok(false);
            }
            match self.stream.read(&mut self.buffer[self.filled..])? {
                0 => return Ok(false),
                read => self.filled += read,
            }
        };
        let (answer, going_on) = answer(&self.buffer[..end]);
        self.buffer.copy_within(end..self.filled, 0);
        self.filled -= end;
        self.stream.write_all(answer)?;
        Ok(going_on)
    }
}

/// Where the first request's head ends, if all of it has arrived.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// What is answered to a request, and whether the connection stays open.
fn answer(head: &[u8]) -> (&'static [u8], bool) {
    let (line, fields) = head.split_at(head.iter().position(|&byte| byte == b'\r').unwrap_or(0));
    if has(fields, b"\ncontent-length:") || has(fields, b"\ntransfer-encoding:") {
        return (BAD, false); // its body would be taken for the next request
    }
    let stays = !has(fields, b"\nconnection: close");
    match (line.starts_with(b"GET /"), line.starts_with(b"HEAD /")) {
        (true, _) if line.ends_with(b" HTTP/1.1") && stays => (HELLO, true),
        (true, _) if line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0") => {
            (LAST_HELLO, false)
        }
        (_, true) if line.ends_with(b" HTTP/1.1") => (HEAD, stays),
        _ => (BAD, false),
    }
}

/// Does the text stand in there, in capital letters or small ones?
fn has(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text))
}

/// Ends our side, and takes what is still coming for a moment: a socket that is closed over unread
/// bytes resets the connection, and the client might never see our answer.
fn farewell(mut stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let mut unwanted = [0; 1024];
    while let Ok(read) = timeout(FAREWELL, || stream.read(&mut unwanted)) {
        if read? == 0 {
            break;
        }
    }
    Ok(())
}
