//! An echo server, one greenlet per connection, written as if it could block.
//!
//! ```text
//! cargo run --release --example echo -- 127.0.0.1:7777
//! cargo run --release --example echo -- 127.0.0.1:7777 pooled
//! ```
//!
//! A client may be silent for as long as it likes: its greenlet costs two pages; with the second
//! command one, since it reads into buffers of a pool and has none while it waits. One that sends and
//! does not take its echo back is dropped.

use greenlet::net::{TcpListener, TcpStream};
use greenlet::try_spawn;
use std::io::{self, Read, Write};
use std::time::Duration;

/// For how long an echo may wait to be taken.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_owned());
    let echo = match std::env::args().nth(2).as_deref() {
        Some("pooled") => echo_pooled,
        _ => echo,
    };
    let listener = TcpListener::bind(&*address)?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        // An error is that of one client, which has left already: when files run out, `incoming`
        // waits until there are some again.
        let Ok(stream) = stream else { continue };
        if let Err(why) = try_spawn(move || drop(echo(&stream))) {
            eprintln!("a client is sent away: {why}");
        }
    }
    Ok(())
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

fn echo_pooled(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    loop {
        let bytes = stream.read_pooled()?;
        match bytes.len() {
            0 => return Ok(()),
            _ => stream.write_all(&bytes)?,
        }
    }
}
