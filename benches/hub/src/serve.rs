//! What every server of the comparison does, whatever it runs on.
//!
//! A connection has one buffer of [`BUFFER`] bytes. What arrives in it is answered at once: sent back as
//! it is, or, for HTTP, with one [`http::RESPONSE`] per complete request head.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;

use crate::http;

/// Bytes of a connection's receive buffer, in every server.
pub const BUFFER: usize = 4096;

/// What a server does with the bytes that arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Echo,
    Http,
}

/// The command line of every server: `serve_<peer> <echo|http> <address>`.
pub struct Arguments {
    pub mode: Mode,
    pub address: SocketAddr,
}

impl Arguments {
    /// Reads the command line, or ends the process with a word about it.
    pub fn read() -> Arguments {
        let words: Vec<String> = std::env::args().collect();
        let parsed = match &words[1..] {
            [mode, address] => parse(mode, address),
            _ => None,
        };
        parsed.unwrap_or_else(|| {
            eprintln!("usage: {} <echo|http> <address:port>", words[0]);
            std::process::exit(2)
        })
    }

    /// A listener of std on the address.
    pub fn listen(&self) -> TcpListener {
        let listener = TcpListener::bind(self.address).unwrap_or_else(|error| {
            eprintln!("{}: {error}", self.address);
            std::process::exit(2)
        });
        deepen_backlog(&listener);
        listener
    }
}

/// Lets as many connections wait as the system allows: 500 clients of wrk come at once, std keeps 128,
/// and who is turned away tries again after a second.
pub fn deepen_backlog(listener: &impl AsRawFd) {
    // SAFETY: the descriptor is open; listening again only sets the length of the queue.
    unsafe { libc::listen(listener.as_raw_fd(), 4096) };
}

fn parse(mode: &str, address: &str) -> Option<Arguments> {
    let mode = match mode {
        "echo" => Mode::Echo,
        "http" => Mode::Http,
        _ => return None,
    };
    Some(Arguments { mode, address: address.parse().ok()? })
}

/// Says that connections are taken from now on.
pub fn announce() {
    println!("listening");
}

/// The answers to one connection; it owns no memory unless a request came in pieces.
pub struct Answers {
    mode: Mode,
    pieces: http::Pieces,
}

impl Answers {
    pub fn new(mode: Mode) -> Answers {
        Answers { mode, pieces: http::Pieces::default() }
    }

    /// What to send for these bytes; `None` ends the connection.
    pub fn reply<'a>(&mut self, received: &'a [u8]) -> Option<&'a [u8]> {
        match self.mode {
            Mode::Echo => Some(received),
            Mode::Http => self.pieces.answer(received),
        }
    }

    /// The same for servers that give buffers away: `Some(None)` is to send back what came.
    pub fn reply_owned(&mut self, received: &[u8]) -> Option<Option<&'static [u8]>> {
        match self.mode {
            Mode::Echo => Some(None),
            Mode::Http => self.pieces.answer(received).map(Some),
        }
    }
}

/// The accept loop and the connections of both tokio servers.
///
/// # Panics
/// When the runtime does not take the listener.
pub async fn tokio_connections(listener: TcpListener, mode: Mode) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    listener.set_nonblocking(true).expect("a listener that does not block");
    let listener = tokio::net::TcpListener::from_std(listener).expect("the runtime's I/O is on");
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let mut answers = Answers::new(mode);
            let mut buffer = [0; BUFFER];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                let Some(reply) = answers.reply(&buffer[..length]) else { break };
                if stream.write_all(reply).await.is_err() {
                    break;
                }
            }
        });
    }
}
