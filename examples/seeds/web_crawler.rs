//! The notes on eventlet, its first program: pages are fetched at once, and arrive in order.

mod outside;

use greenlet::pool::GreenPool;
use outside::urlopen;
use std::error::Error;
use std::io::{self, Read};

const URLS: [&str; 3] = [
    "http://www.google.com/intl/en_ALL/images/logo.gif",
    "https://wiki.secondlife.com/w/images/secondlife.jpg",
    "http://us.i1.yimg.com/us.yimg.com/i/ww/beta/y3.gif",
];

fn fetch(url: &str) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    urlopen(url)?.read_to_end(&mut body)?;
    Ok(body)
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = GreenPool::new(200);

    for body in pool.imap(URLS, fetch) {
        println!("got body {}", body??.len());
    }
    Ok(())
}
