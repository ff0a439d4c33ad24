//! The notes on eventlet, its third program: a pile gives the results in the order of the questions.

mod outside;

use greenlet::net::TcpStream;
use greenlet::pool::Pile;
use outside::{gethostbyname, http_port};
use std::error::Error;
use std::io::{self, Read, Write};

fn geturl(url: &str) -> io::Result<Vec<u8>> {
    let ip = gethostbyname(url)?;
    let mut c = TcpStream::connect((ip, http_port()?))?;
    println!("{url} connected");
    c.write_all(b"GET /\r\n\r\n")?;
    let mut buffer = [0; 1024];
    let length = c.read(&mut buffer)?;
    Ok(buffer[..length].to_vec())
}

fn main() -> Result<(), Box<dyn Error>> {
    let urls = ["www.google.com", "www.yandex.ru", "www.python.org"];
    let mut pile = Pile::default();
    for x in urls {
        pile.spawn(move || geturl(x));
    }

    // note that the pile acts as a collection of return values from the functions
    // if any exceptions are raised by the function they'll get raised here
    for (url, result) in urls.iter().zip(pile) {
        println!("{url}: {:.50}", repr(&result??));
    }
    Ok(())
}

/// As Python writes bytes.
fn repr(bytes: &[u8]) -> String {
    format!("'{}'", bytes.escape_ascii())
}
