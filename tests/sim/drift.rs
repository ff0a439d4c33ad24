//! Does the simulated world still behave as the real ones? Random scripts without faults run on every hub
//! that there is here, and in a simulated world; what each call said must be the same.

use super::random::Random;
use super::seeds;
use greenlet::net::UnixSocketAddr;
use greenlet::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use greenlet::sim::Sim;
use greenlet::{Config, HubKind, spawn, timeout, yield_now};
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::rc::Rc;
use std::time::Duration;

enum End {
    Tcp(TcpStream),
    Unix(UnixStream),
}

macro_rules! end {
    ($end:expr, $stream:ident => $call:expr) => {
        match $end {
            End::Tcp($stream) => $call,
            End::Unix($stream) => $call,
        }
    };
}

/// One side of a connection, and what is on its way to it.
struct Side {
    end: Option<Rc<End>>,
    unread: usize,
    has_shut: bool,
}

struct Script {
    random: Random,
    log: String,
    number: u64,
    connections: Vec<[Side; 2]>,
}

/// A result as it may be compared: a number, or the kind of an error.
fn said(result: io::Result<usize>) -> String {
    match result {
        Ok(count) => count.to_string(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

impl Script {
    fn note(&mut self, what: &str, result: impl std::fmt::Display) {
        writeln!(self.log, "{what}: {result}").expect("a string");
    }

    fn run(mut self) -> String {
        for _ in 0..30 {
            match self.random.below(8) {
                0 => self.connect(),
                1 => self.refused(),
                2 => self.datagrams(),
                3 => self.idle_listener(),
                _ => self.use_a_connection(),
            }
        }
        self.log
    }

    fn name(&mut self) -> UnixSocketAddr {
        self.number += 1;
        let name = format!(
            "drift {} {:?} {}",
            std::process::id(),
            std::thread::current().id(),
            self.number
        );
        UnixSocketAddr::from_abstract_name(name).expect("a short name")
    }

    fn connect(&mut self) {
        let ends = match self.random.below(3) {
            0 => UnixStream::pair().map(|(a, b)| (End::Unix(a), End::Unix(b))),
            1 => {
                let name = self.name();
                UnixListener::bind_addr(&name).and_then(|listener| {
                    let a = UnixStream::connect_addr(&name)?;
                    let (b, from) = listener.accept()?;
                    self.note("unix from", from.is_unnamed());
                    Ok((End::Unix(a), End::Unix(b)))
                })
            }
            _ => TcpListener::bind("127.0.0.1:0").and_then(|listener| {
                let a = TcpStream::connect(listener.local_addr()?)?;
                let (b, from) = listener.accept()?;
                let names = from == a.local_addr()? && b.local_addr()? == a.peer_addr()?;
                self.note("names", names);
                a.set_nodelay(true)?;
                self.note("nodelay", a.nodelay()? && !b.nodelay()?);
                self.note("ttl", a.ttl()?);
                Ok((End::Tcp(a), End::Tcp(b)))
            }),
        };
        self.note("connect", ends.is_ok());
        let (a, b) = ends.expect("as on every system");
        let side = |end| Side { end: Some(Rc::new(end)), unread: 0, has_shut: false };
        self.connections.push([side(a), side(b)]);
    }

    fn refused(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("a name");
        self.note("taken", said(TcpListener::bind(address).map(|_| 0)));
        drop(listener);
        self.note("refused", said(TcpStream::connect(address).map(|_| 0)));
        let name = self.name();
        self.note("nobody there", said(UnixStream::connect_addr(&name).map(|_| 0)));
        self.note("no file", said(UnixStream::connect("/nowhere/at all").map(|_| 0)));
    }

    fn idle_listener(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("open");
        self.note("nobody comes", said(listener.accept().map(|_| 0)));
        listener.set_nonblocking(false).expect("open");
        let late = timeout(Duration::from_millis(1), || listener.accept().map(drop));
        self.note("nobody came", late.is_err());
        let listener = Rc::new(listener);
        let same = listener.clone();
        let waiting = spawn(move || said(same.accept().map(|_| 0)));
        yield_now();
        self.note("closed", said(listener.close().map(|()| 0)));
        self.note("told", waiting.join().expect("no panic"));
    }

    fn datagrams(&mut self) {
        let length = self.random.below(100) as usize;
        let bytes = vec![7; length];
        let mut buffer = [0; 50];
        if self.random.one_in(2) {
            let (a, b) = UnixDatagram::pair().expect("two");
            self.note("unix sent", said(a.send(&bytes)));
            self.note("unix got", said(b.recv(&mut buffer)));
            b.set_nonblocking(true).expect("open");
            self.note("unix none", said(b.recv(&mut buffer)));
            drop(b);
            self.note("unix gone", said(a.send(&bytes)));
            return;
        }
        let a = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let b = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let here = a.local_addr().expect("a name");
        let there = b.local_addr().expect("a name");
        self.note("nobody chosen", said(a.send(&bytes)));
        self.note("sent", said(a.send_to(&bytes, there)));
        let got = b.recv_from(&mut buffer);
        self.note("from", got.as_ref().is_ok_and(|(_, from)| *from == here));
        self.note("got", said(got.map(|(length, _)| length)));
        b.set_read_timeout(Some(Duration::from_millis(1))).expect("a limit");
        self.note("none", said(b.recv(&mut buffer)));
        b.set_read_timeout(None).expect("no limit");
        a.connect(there).expect("an address");
        self.note("peer", a.peer_addr().is_ok_and(|peer| peer == there));
        self.note("sent there", said(a.send(&bytes)));
        self.note("looked", said(b.peek(&mut buffer)));
        self.note("got it", said(b.recv(&mut buffer)));
    }

    fn use_a_connection(&mut self) {
        if self.connections.is_empty() {
            return self.connect();
        }
        let which = self.random.below(self.connections.len() as u64) as usize;
        let side = self.random.below(2) as usize;
        let [a, b] = &mut self.connections[which];
        let (this, other) = if side == 0 { (a, b) } else { (b, a) };
        let Some(end) = this.end.clone() else { return };
        let is_unix = matches!(*end, End::Unix(_));
        let (what, result) = match self.random.below(9) {
            0 | 1 if other.end.is_some() => {
                let bytes = vec![3; 1 + self.random.below(2000) as usize];
                if other.unread + bytes.len() > 8000 {
                    return;
                }
                let wrote = end!(&*end, stream => (&mut &*stream).write(&bytes));
                other.unread += *wrote.as_ref().unwrap_or(&0);
                ("write", said(wrote))
            }
            // What a write to one who is gone says at first, TCP leaves open.
            0 | 1 if is_unix => {
                ("write to none", said(end!(&*end, stream => (&mut &*stream).write(b"x"))))
            }
            2 | 3 if this.unread > 0 && other.end.is_some() => {
                let mut bytes = vec![0; 1 + self.random.below(this.unread as u64) as usize];
                let read = end!(&*end, stream => (&mut &*stream).read_exact(&mut bytes));
                this.unread -= bytes.len();
                ("read", said(read.map(|()| bytes.len())))
            }
            4 if this.unread > 0 && other.end.is_some() && is_unix => {
                let read = end!(&*end, stream => stream.read_pooled().map(|bytes| bytes.len()));
                this.unread -= read.as_ref().unwrap_or(&0);
                ("read pooled", said(read))
            }
            2..=4 if this.unread == 0 && (other.end.is_none() || other.has_shut) => {
                ("end", said(end!(&*end, stream => (&mut &*stream).read(&mut [0; 9]))))
            }
            2..=4 if this.unread == 0 => {
                end!(&*end, stream => stream.set_nonblocking(true)).expect("open");
                let read = said(end!(&*end, stream => (&mut &*stream).read(&mut [0; 9])));
                end!(&*end, stream => stream.set_nonblocking(false)).expect("open");
                ("nothing there", read)
            }
            5 if this.unread == 0 && other.end.is_some() && !other.has_shut => {
                let limit = Some(Duration::from_millis(1));
                end!(&*end, stream => stream.set_read_timeout(limit)).expect("a limit");
                let read = said(end!(&*end, stream => (&mut &*stream).read(&mut [0; 9])));
                end!(&*end, stream => stream.set_read_timeout(None)).expect("no limit");
                ("nothing came", read)
            }
            6 if self.random.one_in(3) && other.end.is_some() => {
                this.has_shut = true;
                let shut = end!(&*end, stream => stream.shutdown(Shutdown::Write));
                let write = said(end!(&*end, stream => (&mut &*stream).write(b"x")));
                ("shut", format!("{} {write}", said(shut.map(|()| 0))))
            }
            7 if this.unread == 0 && other.end.is_some() && !other.has_shut => {
                let (one, two) = (end.clone(), end.clone());
                let reads = |end: Rc<End>| {
                    move || said(end!(&*end, stream => (&mut &*stream).read(&mut [0; 9])))
                };
                let (first, second) = (spawn(reads(one)), spawn(reads(two)));
                let second = second.join().expect("no panic");
                first.kill();
                ("two read", format!("{second} {}", first.join().is_err()))
            }
            8 if self.random.one_in(4) => {
                let reader = {
                    let end = end.clone();
                    let waits = this.unread == 0 && other.end.is_some() && !other.has_shut;
                    waits.then(|| {
                        spawn(move || said(end!(&*end, stream => (&mut &*stream).read(&mut [0]))))
                    })
                };
                yield_now();
                let closed = said(end!(&*end, stream => stream.close()).map(|()| 0));
                let told = reader.map(|reader| reader.join().expect("no panic"));
                this.end = None;
                // What was not read of a TCP stream breaks it, and what lies at the other side is lost.
                if this.unread > 0 {
                    other.end = None;
                }
                ("close", format!("{closed} {told:?}"))
            }
            _ => return,
        };
        self.note(what, result);
    }
}

fn script(seed: u64) -> String {
    let random = Random::new(seed + 1);
    Script { random, log: String::new(), number: 0, connections: Vec::new() }.run()
}

/// On a thread of its own, with a hub of that kind; nothing where that is refused.
fn on(kind: HubKind, seeds: std::ops::Range<u64>) -> Option<Vec<String>> {
    let thread = std::thread::spawn(move || {
        Config::new().hub(kind).apply().ok()?;
        Some(greenlet::run(|| seeds.map(script).collect()))
    });
    thread.join().expect("no panic")
}

#[test]
fn every_hub_and_the_simulated_world_say_the_same() {
    let count = seeds::number("GREENLET_SCRIPTS", 60);
    let simulated: Vec<String> =
        (0..count).map(|seed| Sim::new(seed).run(|| script(seed)).0).collect();
    assert!(simulated.iter().map(|log| log.lines().count()).sum::<usize>() > 15 * count as usize);
    let mut compared = 0;
    for kind in [HubKind::Uring, HubKind::Epoll, HubKind::Poll, HubKind::Select] {
        let Some(logs) = on(kind, 0..count) else { continue };
        compared += 1;
        for (seed, (log, wanted)) in logs.iter().zip(&simulated).enumerate() {
            let differ = log.lines().zip(wanted.lines()).enumerate().find(|(_, (a, b))| a != b);
            assert!(log == wanted, "script {seed}, {kind} and simulated: {differ:?}\n{log}");
        }
    }
    assert!(compared >= 3, "epoll, poll and select are everywhere");
}
