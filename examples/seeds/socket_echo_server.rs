//! The notes on eventlet, its second program: sends each line back to the client that sent it.
//! `cargo run --example socket_echo_server`, then `nc 127.0.0.1 8000`; another address as argument.

use greenlet::net::TcpStream;
use greenlet::pool::GreenPool;
use greenlet::server::listen;
use std::io::{self, BufRead, BufReader, Write};

fn handle(mut fd: BufReader<TcpStream>) -> io::Result<()> {
    println!("client connected");
    loop {
        // pass through every non-eof line
        let mut x = String::new();
        if fd.read_line(&mut x)? == 0 {
            break;
        }
        fd.get_mut().write_all(x.as_bytes())?;
        print!("echoed {x}");
    }
    println!("client disconnected");
    Ok(())
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1);
    let server = listen(address.as_deref().unwrap_or("127.0.0.1:8000"))?;
    println!("server socket listening on port {}", server.local_addr()?.port());
    let pool = GreenPool::new(200);
    loop {
        let (new_sock, address) = server.accept()?;
        println!("accepted ('{}', {})", address.ip(), address.port());
        pool.spawn_detached(move || {
            if let Err(error) = handle(BufReader::new(new_sock)) {
                eprintln!("{error}");
            }
        });
    }
}
