//! A server that ends by itself, with grace: after so many connections it accepts no more, lets those
//! who are still talking come to an end, and kills who takes too long.
//!
//! ```text
//! cargo run --release --example server -- 127.0.0.1:7000 3
//! nc 127.0.0.1 7000                                      (three times)
//! ```
//!
//! What a client writes comes back in capital letters, a line at a time; `bye` ends its conversation.

use greenlet::net::TcpStream;
use greenlet::server::StreamServer;
use greenlet::sync::WaitGroup;
use std::io::{self, BufRead, BufReader, Write};
use std::rc::Rc;
use std::time::Duration;

/// How long a conversation may go on when the server ends; the third argument, in milliseconds.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:7000".to_owned());
    let mut number = || arguments.next().map(|text| text.parse().expect("a number"));
    let most = number().unwrap_or(3);
    let grace = number().map_or(GRACE, Duration::from_millis);

    // Who is still to come.
    let expected = Rc::new(WaitGroup::new());
    expected.add(most as usize);
    let server = StreamServer::builder().concurrency(100).bind(&*address, {
        let expected = expected.clone();
        move |stream, from| {
            if expected.count() > 0 {
                expected.dec();
            }
            let ended = talk(&stream);
            println!("{} {}", from.ip(), if ended.is_ok() { "is content" } else { "has left" });
        }
    })?;
    println!("listening on {}", server.local_addr());
    server.start()?;

    expected.wait();
    server.close();
    println!("that was number {most}: no more");
    let killed = server.stop(grace);
    println!("stopped; killed: {killed}");
    Ok(())
}

fn talk(stream: &TcpStream) -> io::Result<()> {
    let mut line = String::new();
    let mut reader = BufReader::new(stream);
    while reader.read_line(&mut line)? > 0 {
        if line.trim() == "bye" {
            break;
        }
        let mut writer = stream;
        writer.write_all(line.to_uppercase().as_bytes())?;
        line.clear();
    }
    Ok(())
}
