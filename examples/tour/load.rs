//! An echo server and its clients, on two threads with a hub each, over more and more connections.
//!
//! Every connection asks again as soon as it was answered, so the server is always busy: with many
//! connections a request waits for its turn, and its time is about connections / rate.

use super::Size;
use super::histogram::Histogram;
use super::machine::thread_time_ns;
use super::screen::{Progress, bar, time, whole};
use greenlet::net::{TcpListener, TcpStream};
use greenlet::{Stats, sleep, spawn, stats, timeout};
use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const BYTES: usize = 64;
/// Open files that are not connections.
const OTHER_FILES: usize = 40;
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn tour(size: Size, files: usize) {
    let is_select = greenlet::stats().hub == greenlet::HubKind::Select;
    let files = if is_select { files.min(1024) } else { files }; // it knows no more
    let most = (files.saturating_sub(OTHER_FILES) / 2).max(1); // both ends are ours
    let mut wanted = vec![1, 10, 100, 1000, size.count(5000).max(1000)];
    wanted.dedup();
    let mut steps: Vec<usize> = wanted.iter().copied().filter(|&step| step <= most).collect();
    if steps.len() < wanted.len() {
        println!(
            "  connections: at most {}, as few files may be open (ulimit -n, or select)",
            whole(most)
        );
        // Another step only if it is one.
        if steps.last().is_none_or(|last| most > last * 3 / 2) {
            steps.push(most);
        }
    }
    let mut points = Vec::new();
    for connections in steps {
        match measure(connections, size.time(3.0)) {
            Ok(point) => points.push(point),
            Err(why) => println!("  connections: {}: {why}", whole(connections)),
        }
    }
    let best = points.iter().map(|point| point.rate).fold(1.0, f64::max);
    println!("{:36}            a request takes      server, for each request", "");
    println!("  connections  requests/s{:21} half within  99 % within   calls       CPU", "");
    for point in &points {
        let server_time = point.server_ns.map_or("?".to_owned(), time);
        println!(
            "  {:>11}  {:>10}  {:20}  {:>9}   {:>9}   {:>5.2}  {server_time:>8}",
            whole(point.connections),
            whole(point.rate as u64),
            bar(point.rate / best, 20),
            time(point.times.within(0.5)),
            time(point.times.within(0.99)),
            point.server_calls,
        );
    }
    println!(
        "  Every connection asks again as soon as it was answered, so with many of them a request"
    );
    println!("  mostly waits for its turn. Calls are system calls.");
    if let Some(point) = points.last() {
        println!("\n  how long a request takes; connections: {}", whole(point.connections));
        point.times.plot();
    }
}

/// What was measured with some number of connections.
struct Point {
    connections: usize,
    rate: f64,
    times: Histogram,
    /// System calls of the server for one request, and its processor time.
    server_calls: f64,
    server_ns: Option<f64>,
}

fn measure(connections: usize, length: Duration) -> Result<Point, String> {
    let expected = Arc::new(AtomicUsize::new(connections));
    let (tell, told) = mpsc::channel();
    let server = thread::spawn({
        let expected = expected.clone();
        move || greenlet::run(move || serve(&tell, &expected))
    });
    let address = told.recv().map_err(|_| "the server could not begin".to_owned())?;
    let clients = connect_all(address, connections);
    // If not all came, the server is told that nobody else will.
    expected.store(clients.as_ref().map_or(0, Vec::len), Ordering::Relaxed);
    let measured = clients.map(|clients| ask_all(clients, length));
    let served = server.join().map_err(|_| "the server panicked".to_owned())?;
    let Served { before, after, cpu_ns } = served.map_err(|error| format!("server: {error}"))?;
    let (all, rate, times) = measured.map_err(|error| error.to_string())?;
    let calls = |stats: &Stats| stats.enters + stats.calls;
    Ok(Point {
        connections,
        rate,
        times,
        server_calls: (calls(&after) - calls(&before)) as f64 / all as f64,
        server_ns: cpu_ns.map(|ns| ns as f64 / all as f64),
    })
}

/// The server's account, from its last `accept` until its last client has left.
struct Served {
    before: Stats,
    after: Stats,
    cpu_ns: Option<u64>,
}

fn serve(tell: &mpsc::Sender<SocketAddr>, expected: &AtomicUsize) -> io::Result<Served> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    tell.send(listener.local_addr()?).map_err(io::Error::other)?;
    let mut connections = Vec::new();
    while connections.len() < expected.load(Ordering::Relaxed) {
        if let Ok(accepted) = timeout(Duration::from_millis(100), || listener.accept()) {
            let (stream, _) = accepted?;
            connections.push(spawn(move || drop(echo(&stream))));
        }
    }
    let (before, time_before) = (stats(), thread_time_ns());
    for connection in connections {
        connection.wait();
    }
    let time_after = thread_time_ns();
    let cpu_ns = time_after.zip(time_before).map(|(after, before)| after - before);
    Ok(Served { before, after: stats(), cpu_ns })
}

fn echo(mut stream: &TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => stream.write_all(&buffer[..read])?,
        }
    }
}

fn connect_all(address: SocketAddr, count: usize) -> io::Result<Vec<TcpStream>> {
    let progress = Progress::new(format!("connections: making {}", whole(count)));
    let mut clients = Vec::with_capacity(count);
    while clients.len() < count {
        let connect = || -> io::Result<TcpStream> {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            // Not more at a time than a listener's queue holds.
            if clients.len() % 64 == 63 {
                ask(&stream)?;
            }
            Ok(stream)
        };
        match timeout(PATIENCE, connect) {
            Ok(stream) => clients.push(stream?),
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
        progress.show(clients.len() as f64 / count as f64);
    }
    Ok(clients)
}

/// One request and its answer.
fn ask(mut stream: &TcpStream) -> io::Result<()> {
    let mut answer = [0; BYTES];
    stream.write_all(&[7; BYTES])?;
    stream.read_exact(&mut answer)?;
    if answer == [7; BYTES] { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// What the clients share.
struct Asking {
    is_over: Cell<bool>,
    /// All requests; and the times of those that were measured, after the first tenth.
    all: Cell<u64>,
    times: RefCell<Option<Histogram>>,
}

/// Lets every client ask for as long; returns how many requests there were, how many there were in a
/// second, and their times.
fn ask_all(clients: Vec<TcpStream>, length: Duration) -> (u64, f64, Histogram) {
    let asking =
        Rc::new(Asking { is_over: Cell::new(false), all: Cell::new(0), times: RefCell::new(None) });
    let label = format!("connections: asking over {}", whole(clients.len()));
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|stream| {
            let asking = asking.clone();
            spawn(move || asking.ask_again_and_again(&stream))
        })
        .collect();
    // The bar is drawn by a greenlet, too.
    let drawing = spawn({
        let began = Instant::now();
        let progress = Progress::new(label);
        move || -> () {
            loop {
                progress.show(began.elapsed().as_secs_f64() / length.as_secs_f64());
                sleep(Duration::from_millis(50));
            }
        }
    });
    sleep(length / 10);
    asking.times.replace(Some(Histogram::new()));
    let began = Instant::now();
    sleep(length * 9 / 10);
    let (took, times) = (began.elapsed(), asking.times.take());
    asking.is_over.set(true);
    drawing.kill();
    for task in tasks {
        task.wait();
    }
    let times = times.unwrap_or_else(Histogram::new);
    (asking.all.get().max(1), times.total() as f64 / took.as_secs_f64(), times)
}

impl Asking {
    fn ask_again_and_again(&self, stream: &TcpStream) {
        while !self.is_over.get() {
            let began = Instant::now();
            if ask(stream).is_err() {
                return;
            }
            self.all.set(self.all.get() + 1);
            if let Some(times) = &mut *self.times.borrow_mut() {
                times.add(began.elapsed().as_nanos() as u64);
            }
        }
    }
}
