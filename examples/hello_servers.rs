//! A hello server in three ways: one client after another, a thread for each, a greenlet for each.
//!
//! ```text
//! cargo run --release --example hello_servers                           compares the three
//! cargo run --release --example hello_servers -- 127.0.0.1:1111 greenlets
//! ab -r -n 200 -c 200 http://127.0.0.1:1111/                 (serves, until it is interrupted)
//! ```
//!
//! An answer takes a pause of 100 ms, as if it waited for a database. The comparison sends 200
//! clients at once (fewer where fewer files may be open), and gives up on a server after 4 seconds.
//! The handlers differ in nothing but where their `TcpStream` and `sleep` come from.
#![expect(unsafe_code, reason = "listen(2) with a queue for all clients")]

use greenlet::net::{TcpListener, TcpStream};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(100);
const HELLO: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\nHello World";
const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
const CLIENTS: usize = 200;
const LIMIT: Duration = Duration::from_secs(4);

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    match arguments.next().as_deref() {
        None => compare(&address),
        Some("sequential") => serve(&address, sequential),
        Some("threads") => serve(&address, threads),
        Some("greenlets") => serve(&address, greenlets),
        Some(_) => {
            eprintln!("usage: hello_servers [ADDRESS [sequential|threads|greenlets]]");
            std::process::exit(2)
        }
    }
}

/// One of the servers below.
type Server = fn(std::net::TcpListener, &AtomicBool) -> io::Result<()>;

fn serve(address: &str, server: Server) -> io::Result<()> {
    let listener = listen(address)?;
    println!("listening on {}", listener.local_addr()?);
    server(listener, &AtomicBool::new(false))
}

/// Binds; 500 clients may wait there, where std wants 128.
fn listen(address: &str) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    // SAFETY: a socket that listens already; this only makes its queue longer.
    match unsafe { libc::listen(listener.as_raw_fd(), 500) } {
        0 => Ok(listener),
        _ => Err(io::Error::last_os_error()),
    }
}

// The three servers. Each ends with the first client that comes after `stopped` was set.

fn sequential(listener: std::net::TcpListener, stopped: &AtomicBool) -> io::Result<()> {
    while !stopped.load(Ordering::Relaxed) {
        let (stream, _) = listener.accept()?;
        handle(&stream, thread::sleep);
    }
    Ok(())
}

fn threads(listener: std::net::TcpListener, stopped: &AtomicBool) -> io::Result<()> {
    while !stopped.load(Ordering::Relaxed) {
        let (stream, _) = listener.accept()?;
        thread::spawn(move || handle(&stream, thread::sleep));
    }
    Ok(())
}

fn greenlets(listener: std::net::TcpListener, stopped: &AtomicBool) -> io::Result<()> {
    greenlet::run(|| {
        let listener = TcpListener::from(listener);
        while !stopped.load(Ordering::Relaxed) {
            let (stream, _) = listener.accept()?;
            greenlet::spawn_detached(move || handle(&stream, greenlet::sleep));
        }
        Ok(())
    })
}

/// Answers one client, on whatever kind of stream; one that has left already gets nothing.
fn handle<S: Shut>(mut stream: &S, sleep: fn(Duration))
where
    for<'a> &'a S: Read + Write,
{
    let mut request = [0; 1024];
    if !matches!(stream.read(&mut request), Ok(1..)) {
        return;
    }
    sleep(PAUSE);
    if stream.write_all(HELLO).is_ok() {
        let _ = stream.shut();
    }
}

trait Shut {
    fn shut(&self) -> io::Result<()>;
}

impl Shut for std::net::TcpStream {
    fn shut(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Shut for TcpStream {
    fn shut(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

fn compare(address: &str) -> io::Result<()> {
    let clients = CLIENTS.min(most_open_files().saturating_sub(40) / 2);
    if clients < CLIENTS {
        println!("{clients} clients instead of {CLIENTS}: few files may be open (ulimit -n)");
    }
    println!("{clients} clients at once; an answer takes a pause of {PAUSE:?}");
    let servers: [(&str, Server); 3] =
        [("sequential", sequential), ("threads", threads), ("greenlets", greenlets)];
    for (name, server) in servers {
        let outcome = measure(address, clients, server)?;
        println!("{name:11} {outcome}");
    }
    Ok(())
}

/// What became of the clients of one server.
struct Outcome {
    /// How long each took that was answered, shortest first.
    answered: Vec<Duration>,
    clients: usize,
    took: Duration,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { answered, clients, took } = self;
        write!(f, "{:3} answered in {:.3} s", answered.len(), took.as_secs_f64())?;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        if let (Some(&half), Some(&last)) = (answered.get(answered.len() / 2), answered.last()) {
            write!(f, "; half within {:.0} ms, the last after {:.0} ms", ms(half), ms(last))?;
        }
        if answered.len() < *clients {
            let all = took.as_secs_f64() * *clients as f64 / answered.len().max(1) as f64;
            write!(f, " (given up; all would take {all:.0} s)")?;
        }
        Ok(())
    }
}

/// Sends the clients, a greenlet each, to a server in a thread of its own.
fn measure(address: &str, clients: usize, server: Server) -> io::Result<Outcome> {
    let listener = listen(address)?;
    let address = listener.local_addr()?;
    let stopped = Arc::new(AtomicBool::new(false));
    let thread = thread::spawn({
        let stopped = stopped.clone();
        move || server(listener, &stopped)
    });
    let began = Instant::now();
    let asking = (0..clients).map(|_| greenlet::spawn(move || ask(address))).collect::<Vec<_>>();
    let mut answered = Vec::new();
    for client in asking {
        if let Ok(Some(time)) = client.join() {
            answered.push(time);
        }
    }
    let took = began.elapsed();
    answered.sort();
    stopped.store(true, Ordering::Relaxed);
    drop(TcpStream::connect(address)); // the one that it ends with
    thread.join().expect("the server does not panic")?;
    Ok(Outcome { answered, clients, took })
}

/// One client: how long its answer took, if it came in time.
fn ask(address: SocketAddr) -> Option<Duration> {
    let began = Instant::now();
    let answer = greenlet::timeout(LIMIT, || {
        let stream = TcpStream::connect(address)?;
        (&stream).write_all(REQUEST)?;
        let mut answer = Vec::new();
        (&stream).read_to_end(&mut answer)?;
        io::Result::Ok(answer)
    });
    (answer.ok()?.ok()? == HELLO).then(|| began.elapsed())
}

fn most_open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(usize::MAX)
}
