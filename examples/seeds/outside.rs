//! What the programs want from the outside world, on this machine: names, and the web servers behind
//! them, which run in a thread that knows no greenlets.
#![allow(dead_code, reason = "each program uses its part")]

use greenlet::net::TcpStream;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// `socket.gethostbyname`: every name is one of this machine.
pub(crate) fn gethostbyname(_name: &str) -> io::Result<IpAddr> {
    servers().map(|address| address.ip())
}

/// Where its web servers listen; outside it is 80.
pub(crate) fn http_port() -> io::Result<u16> {
    servers().map(|address| address.port())
}

/// `urllib2.urlopen`: asks for a page; what comes is to be read from the result.
pub(crate) fn urlopen(url: &str) -> io::Result<impl Read> {
    let (_scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut c = TcpStream::connect((gethostbyname(host)?, http_port()?))?;
    c.write_all(format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes())?;
    let mut response = BufReader::new(c);
    skip_head(&mut response)?;
    Ok(response)
}

/// Reads up to the empty line.
fn skip_head(from: &mut impl BufRead) -> io::Result<()> {
    let mut line = String::new();
    while from.read_line(&mut line)? > "\r\n".len() {
        line.clear();
    }
    Ok(())
}

/// The address of all of them; the first call starts them.
fn servers() -> io::Result<SocketAddr> {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    if let Some(&address) = ADDRESS.get() {
        return Ok(address);
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || answer(client));
        }
    });
    Ok(*ADDRESS.get_or_init(|| address))
}

/// Answers one request.
fn answer(mut client: std::net::TcpStream) -> io::Result<()> {
    let mut request = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    request.read_line(&mut line)?;
    skip_head(&mut request)?;
    let path = line.split_whitespace().nth(1).unwrap_or("/");
    let body = page(path);
    let mut answer = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    answer.push_str(&body);
    client.write_all(answer.as_bytes())
}

fn page(path: &str) -> String {
    match path {
        "/time.json" => format!(r#"{{"tz": "UTC", "datetime": "{}"}}"#, now()),
        "/intl/en_ALL/images/logo.gif" => "G".repeat(8558),
        "/w/images/secondlife.jpg" => "S".repeat(24_036),
        "/us.yimg.com/i/ww/beta/y3.gif" => "Y".repeat(1874),
        _ => "<html>hello</html>".to_owned(),
    }
}

/// The time of day.
fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}
