//! An echo server: `cargo run --release --example echo -- 127.0.0.1:7777`.

use greenlet::net::{TcpListener, TcpStream};
use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_owned());
    let listener = TcpListener::bind(&*address)?;
    println!("listening");
    loop {
        let (stream, _) = listener.accept()?;
        greenlet::spawn_detached(move || drop(echo(&stream)));
    }
}

fn echo(mut stream: &TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n])?,
        }
    }
}
