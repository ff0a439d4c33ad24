//! An echo server, one greenlet per connection, written as if it could block.
//!
//! ```text
//! cargo run --release --example echo -- 127.0.0.1:7777
//! ```
//!
//! A client may be silent for as long as it likes: its greenlet costs a page or two. One that sends
//! and does not take its echo back is dropped.

use greenlet::net::{TcpListener, TcpStream};
use greenlet::{sleep, try_spawn};
use std::io::{self, Read, Write};
use std::time::Duration;

/// For how long an echo may wait to be taken.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_owned());
    let listener = TcpListener::bind(&*address)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        // No error is the end: a client that has left already, or nothing left to serve it with
        // (descriptors, memory), which those who are served now will give back.
        let accepted = listener.accept().map_err(|error| error.to_string());
        let served = accepted.and_then(|(stream, _)| {
            let task = try_spawn(move || drop(echo(&stream)));
            task.map(drop).map_err(|error| error.to_string())
        });
        if let Err(why) = served {
            eprintln!("not accepted: {why}");
            sleep(Duration::from_millis(50));
        }
    }
}

fn echo(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => stream.write_all(&buffer[..read])?,
        }
    }
}
