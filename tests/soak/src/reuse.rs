//! Connections that come and go, so that the numbers of descriptors are given out again and again,
//! while reads of the old ones are cancelled, closed under the reader, or killed.
//!
//! Each connection has a token of its own; what a read brings must belong to it.

use crate::bar::Bar;
use crate::growth::Growth;
use crate::random::{Random, mixed};
use crate::{Outcome, must};
use greenlet::net::{TcpListener, TcpStream};
use greenlet::{JoinHandle, sleep, spawn, spawn_detached, timeout, yield_now};
use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// So many addresses, since each has only some 28,000 ports to connect from.
const ADDRESSES: u8 = 16;
const CLIENTS: u64 = 64;

#[derive(Default)]
struct Seen {
    /// Connections that were begun.
    begun: Cell<u64>,
    whole: Cell<u64>,
    elapsed: Cell<u64>,
    closed: Cell<u64>,
    killed: Cell<u64>,
    /// The server's side.
    served: Cell<u64>,
    wrong: RefCell<Option<String>>,
}

impl Seen {
    fn wrong(&self, what: String) {
        self.wrong.borrow_mut().get_or_insert(what);
    }
}

fn add(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

pub(crate) fn run(count: u64) -> Outcome {
    let bar = Bar::new("reuse", count);
    let mut growth = Growth::new();
    let seen = Rc::new(Seen::default());
    let mut ports = Vec::new();
    let mut acceptors = Vec::new();
    for last in 1..=ADDRESSES {
        let listener = TcpListener::bind((format!("127.0.0.{last}").as_str(), 0));
        let listener = listener.map_err(|error| error.to_string())?;
        ports.push(listener.local_addr().map_err(|error| error.to_string())?);
        let seen = seen.clone();
        acceptors.push(spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let seen = seen.clone();
                spawn_detached(move || serve(stream, &seen));
            }
        }));
    }
    let ports = Rc::new(ports);
    let clients: Vec<JoinHandle<()>> = (0..CLIENTS)
        .map(|index| {
            let (ports, seen) = (ports.clone(), seen.clone());
            spawn(move || {
                let random = Random::new(index);
                while seen.begun.get() < count && seen.wrong.borrow().is_none() {
                    let token = seen.begun.get();
                    add(&seen.begun);
                    let port = ports[(token % u64::from(ADDRESSES)) as usize];
                    match TcpStream::connect(port) {
                        Ok(stream) => visit(stream, token, random.below(100), &seen),
                        Err(error) => seen.wrong(format!("connection {token}: {error}")),
                    }
                }
            })
        })
        .collect();
    while clients.iter().any(|client| !client.is_finished()) {
        sleep(Duration::from_millis(50));
        bar.at(seen.begun.get());
        growth.at(seen.begun.get(), count);
    }
    for client in clients {
        client.join().map_err(|error| error.to_string())?;
    }
    if let Some(wrong) = seen.wrong.take() {
        return Err(wrong);
    }
    let (whole, elapsed) = (seen.whole.get(), seen.elapsed.get());
    let (closed, killed) = (seen.closed.get(), seen.killed.get());
    must!(whole + elapsed + closed + killed == seen.begun.get(), "not every connection had an end");
    acceptors.iter().for_each(JoinHandle::kill);
    // The last of the server's greenlets end.
    let began = Instant::now();
    while Rc::strong_count(&seen) > 1 {
        must!(began.elapsed() < Duration::from_secs(60), "somebody serves who has no client");
        sleep(Duration::from_millis(1));
    }
    Ok(format!(
        "{count} connections: {whole} answered, {elapsed} timed out, {closed} closed under the \
         reader, {killed} killed; {} served; {}",
        seen.served.get(),
        growth.checked()?
    ))
}

/// Answers with what only belongs to the token that it reads.
fn serve(mut stream: TcpStream, seen: &Seen) {
    let mut token = [0; 8];
    if stream.read_exact(&mut token).is_err() {
        return; // its client gave up
    }
    let answer = mixed(u64::from_le_bytes(token));
    if answer.is_multiple_of(3) {
        yield_now(); // not always at once
    }
    if stream.write_all(&answer.to_le_bytes()).is_ok() {
        add(&seen.served);
    }
}

/// One connection, in one of four ways.
fn visit(stream: TcpStream, token: u64, way: u64, seen: &Rc<Seen>) {
    let stream = Rc::new(stream);
    if let Err(error) = (&*stream).write_all(&token.to_le_bytes()) {
        return seen.wrong(format!("token {token}: {error}"));
    }
    match way {
        0..10 => {
            // Mostly too short.
            match timeout(Duration::from_micros(token % 50), || answer(&stream)) {
                Ok(answer) => check(token, answer, seen),
                Err(_) => add(&seen.elapsed),
            }
        }
        10..20 => {
            let reader = reader(&stream);
            if token.is_multiple_of(2) {
                yield_now();
            }
            if let Err(error) = stream.close() {
                seen.wrong(format!("close {token}: {error}"));
            }
            match reader.join() {
                Ok(Ok(value)) => check(token, Ok(value), seen),
                Ok(Err(_)) => add(&seen.closed),
                Err(error) => seen.wrong(format!("reader {token}: {error}")),
            }
        }
        20..30 => {
            let reader = reader(&stream);
            if token.is_multiple_of(2) {
                yield_now();
            }
            reader.kill();
            match reader.join() {
                Ok(value) => check(token, value, seen),
                Err(_) => add(&seen.killed),
            }
        }
        _ => check(token, answer(&stream), seen),
    }
}

fn reader(stream: &Rc<TcpStream>) -> JoinHandle<io::Result<u64>> {
    let stream = stream.clone();
    spawn(move || answer(&stream))
}

fn answer(mut stream: &TcpStream) -> io::Result<u64> {
    let mut answer = [0; 8];
    stream.read_exact(&mut answer)?;
    Ok(u64::from_le_bytes(answer))
}

fn check(token: u64, answer: io::Result<u64>, seen: &Seen) {
    match answer {
        Ok(answer) if answer == mixed(token) => add(&seen.whole),
        Ok(answer) => seen.wrong(format!("connection {token} read {answer:x}, which is not its")),
        Err(error) => seen.wrong(format!("connection {token}: {error}")),
    }
}
