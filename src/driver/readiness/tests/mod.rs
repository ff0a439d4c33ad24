//! On the real kernel. Nothing sleeps to wait for something: what must be late is made late by the
//! order of the calls. On epoll, or on the poller that `GREENLET_HUB` names.
#![expect(unsafe_code, reason = "entries and system calls by address")]

mod closing;
mod connecting;
mod levels;
mod model;
mod order;
mod polling;
mod requests;
mod waiting;

use super::super::*;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

/// A driver, and what it has handed out.
struct World {
    driver: Driver,
    completions: Vec<Completion>,
}

/// The poller that these tests are about.
fn kind() -> Kind {
    match std::env::var("GREENLET_HUB").as_deref() {
        Ok("poll") => Kind::Poll,
        Ok("select") => Kind::Select,
        _ => Kind::Epoll,
    }
}

/// An entry that stays where it is until the test ends; `id` comes back with its completion.
fn entry(request: Request, id: u64) -> &'static Entry {
    Box::leak(Box::new(Entry::new(request, Token::from_bits(id << 3))))
}

fn id(completion: &Completion) -> u64 {
    completion.token.to_bits() >> 3
}

impl World {
    fn new() -> World {
        World::with(Settings::default())
    }

    fn on(kind: Kind) -> World {
        World::with(Settings { kind: Some(kind), ..Settings::default() })
    }

    fn with(settings: Settings) -> World {
        let kind = settings.kind.unwrap_or_else(kind);
        let settings = Settings { kind: Some(kind), ..settings };
        let (driver, why) = Driver::new(&settings).expect("all pollers are everywhere");
        assert_eq!((driver.kind(), why), (kind, None));
        World { driver, completions: Vec::new() }
    }

    fn readiness(&mut self) -> &mut super::Readiness {
        match &mut self.driver {
            Driver::Readiness(readiness) => readiness,
            #[allow(unreachable_patterns, reason = "with few features it is the only one")]
            _ => unreachable!(),
        }
    }

    fn push(&mut self, entry: &'static Entry) -> Pushed {
        // SAFETY: entries of tests are leaked, and so are their buffers or they outlive the world.
        unsafe { self.driver.push(entry) }
    }

    fn queue(&mut self, request: Request, id: u64) -> &'static Entry {
        let entry = entry(request, id);
        assert_eq!(self.push(entry), Pushed::Queued, "{}", request.name());
        entry
    }

    fn done(&mut self, request: Request) -> i32 {
        match self.push(entry(request, 0)) {
            Pushed::Done(result) => result,
            Pushed::Queued => panic!("{} waits", request.name()),
        }
    }

    /// Everything that is there without waiting, as (id, result).
    fn look(&mut self) -> Vec<(u64, i32)> {
        self.driver.enter(Wait::No);
        self.take()
    }

    fn take(&mut self) -> Vec<(u64, i32)> {
        let from = self.completions.len();
        let completions = &mut self.completions;
        self.driver.reap(|completion| completions.push(completion));
        self.completions[from..].iter().map(|c| (id(c), c.result)).collect()
    }

    /// Waits until so many more have ended.
    fn wait(&mut self, count: usize) -> Vec<(u64, i32)> {
        let late = self.driver.now() + 20_000_000_000;
        let mut all = self.take();
        while all.len() < count {
            self.driver.enter(Wait::Until(late));
            all.extend(self.take());
            assert!(self.driver.now() < late, "only {all:?} of {count}");
        }
        all
    }

    fn calls(&self) -> u64 {
        self.driver.counters().calls
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let counters = self.driver.counters();
        if !std::thread::panicking() {
            let waiting = self.readiness().waiting as u64;
            assert_eq!(counters.pushed - counters.completions, waiting);
        }
    }
}

/// A buffer that outlives everything.
fn buffer(length: usize) -> &'static mut [u8] {
    vec![0; length].leak()
}

fn recv(fd: Fd, buffer: &mut [u8]) -> Request {
    Request::Recv { fd, buffer: buffer.as_mut_ptr(), length: buffer.len(), flags: 0 }
}

fn send(fd: Fd, bytes: &'static [u8]) -> Request {
    Request::Send { fd, buffer: bytes.as_ptr(), length: bytes.len(), flags: 0 }
}

fn read(fd: Fd, buffer: &mut [u8]) -> Request {
    Request::Read { fd, buffer: buffer.as_mut_ptr(), length: buffer.len(), offset: u64::MAX }
}

fn write(fd: Fd, bytes: &'static [u8]) -> Request {
    Request::Write { fd, buffer: bytes.as_ptr(), length: bytes.len(), offset: u64::MAX }
}

fn fd(of: &impl AsRawFd) -> Fd {
    Fd::new(of.as_raw_fd())
}

/// A connection over loopback, non-blocking at both ends.
fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    for stream in [&one, &other] {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
    }
    (one, other)
}

fn unix() -> (std::os::unix::net::UnixStream, std::os::unix::net::UnixStream) {
    let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    other.set_nonblocking(true).unwrap();
    (one, other)
}

fn pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    for number in [reader.as_raw_fd(), writer.as_raw_fd()] {
        set_nonblocking(number);
    }
    (reader, writer)
}

fn set_nonblocking(number: RawFd) {
    // SAFETY: takes no addresses.
    let answer = unsafe { libc::fcntl(number, libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(answer, 0);
}

fn unix_name(path: &std::path::Path) -> libc::sockaddr_un {
    // SAFETY: zeroes are an empty name.
    let mut name: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    name.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in name.sun_path.iter_mut().zip(path.as_os_str().as_encoded_bytes()) {
        *to = *from as libc::c_char;
    }
    name
}

/// How many descriptors this driver's poller watches, besides that of its waker: an epoll instance has
/// them in its fdinfo.
fn watched(world: &mut World) -> usize {
    let epoll = match &world.readiness().poller {
        super::Poller::Epoll(epoll) => epoll,
        super::Poller::Levels(levels) => return levels.watched(),
    };
    let path = format!("/proc/self/fdinfo/{}", epoll.number());
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter(|line| line.starts_with("tfd")).count() - 1
}
