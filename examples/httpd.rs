//! A minimal HTTP/1.1 server that says hello and keeps connections open:
//! `cargo run --release --example httpd -- 127.0.0.1:8080`.
//!
//! One greenlet per connection, written as if it could block. Clients that send garbage get a 400,
//! those that stall for half a minute are dropped.

use greenlet::net::{TcpListener, TcpStream};
use greenlet::timeout;
use std::io::{self, Read, Write};
use std::time::Duration;

const HELLO: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nHello, world!\n";
const BAD: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&*address)?;
    println!("listening");
    loop {
        let (stream, _) = listener.accept()?;
        greenlet::spawn_detached(move || drop(serve(&stream)));
    }
}

/// Answers requests until the client has enough.
fn serve(mut stream: &TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    let mut filled = 0;
    loop {
        while let Some(end) = end_of_head(&buffer[..filled]) {
            let head = &buffer[..end];
            if !head.starts_with(b"GET ") && !head.starts_with(b"HEAD ") {
                return stream.write_all(BAD);
            }
            let close = contains(head, b"onnection: close");
            let answer =
                if head.starts_with(b"HEAD ") { &HELLO[..HELLO.len() - 14] } else { HELLO };
            stream.write_all(answer)?;
            if close {
                return Ok(());
            }
            buffer.copy_within(end..filled, 0);
            filled -= end;
        }
        if filled == buffer.len() {
            return stream.write_all(BAD); // no head is this long
        }
        match timeout(PATIENCE, || stream.read(&mut buffer[filled..])) {
            Ok(Ok(0)) | Err(_) => return Ok(()),
            Ok(read) => filled += read?,
        }
    }
}

/// Where the first request's head ends, if all of it has arrived.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
