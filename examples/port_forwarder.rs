//! Forwards connections: whoever connects to FROM talks to TO.
//!
//! ```text
//! cargo run --release --example port_forwarder -- 127.0.0.1:2222 192.0.2.7:22
//! ```
//!
//! Two greenlets for each connection, one per direction. When one side has said all it had to say,
//! the other is told, and may go on talking; a reset on one side is passed on as an end of both.

use greenlet::net::{TcpListener, TcpStream};
use greenlet::{spawn, timeout, try_spawn};
use std::cell::Cell;
use std::io;
use std::net::Shutdown;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

/// For how long TO may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: port_forwarder FROM TO");
        return ExitCode::from(2);
    };
    match forward(&from, &to.into()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("port_forwarder: {from}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How many connections there were, and how many there are.
#[derive(Default)]
struct Counts {
    all: Cell<u64>,
    open: Cell<u64>,
}

fn forward(from: &str, to: &Rc<str>) -> io::Result<()> {
    let listener = TcpListener::bind(from)?;
    println!("listening on {}", listener.local_addr()?);
    let counts = Rc::new(Counts::default());
    for client in listener.incoming() {
        let Ok(client) = client else { continue }; // see `echo.rs`
        let (to, counts) = (to.clone(), counts.clone());
        if let Err(why) = try_spawn(move || counts.count(|| connection(client, &to))) {
            eprintln!("a client is sent away: {why}");
        }
    }
    Ok(())
}

impl Counts {
    /// Runs one connection, between two lines about it.
    fn count(&self, connection: impl FnOnce() -> Result<(u64, u64), String>) {
        let number = self.all.get() + 1;
        self.all.set(number);
        self.open.set(self.open.get() + 1);
        println!("{number}: begins; {} open", self.open.get());
        let outcome = connection();
        self.open.set(self.open.get() - 1);
        let open = self.open.get();
        match outcome {
            Ok((there, back)) => {
                println!("{number}: {there} bytes there, {back} back; {open} open")
            }
            Err(why) => println!("{number}: {why}; {open} open"),
        }
    }
}

/// Forwards until both sides have ended: how many bytes went there, and how many came back.
fn connection(client: TcpStream, to: &str) -> Result<(u64, u64), String> {
    let connected = timeout(PATIENCE, || TcpStream::connect(to));
    let server = match connected {
        Ok(connected) => connected.map_err(|error| format!("{to}: {error}"))?,
        Err(_) => return Err(format!("{to}: no answer for {PATIENCE:?}")),
    };
    let ends = Rc::new((client, server));
    let there = spawn({
        let ends = ends.clone();
        move || one_way(&ends.0, &ends.1)
    });
    let back = one_way(&ends.1, &ends.0);
    let there = there.join().map_err(|error| error.to_string())?;
    Ok((there, back))
}

/// Copies until `from` has ended, and tells `to` so.
fn one_way(mut from: &TcpStream, mut to: &TcpStream) -> u64 {
    let mut bytes = 0;
    match copy(&mut from, &mut to, &mut bytes) {
        Ok(()) => drop(to.shutdown(Shutdown::Write)),
        // One of the two is gone: neither direction can go on.
        Err(_) => {
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        }
    }
    bytes
}

/// As [`io::copy`], but it also says how far it came when it fails.
fn copy(from: &mut impl io::Read, to: &mut impl io::Write, bytes: &mut u64) -> io::Result<()> {
    let mut buffer = [0; 8192];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            read => {
                to.write_all(&buffer[..read])?;
                *bytes += read as u64;
            }
        }
    }
}
