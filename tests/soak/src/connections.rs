//! Many connections at once, over which blocks of random sizes go there and back.
//!
//! ```text
//!   clients (a process)                           server (this process)
//!   header{length, number, sum} bytes  ────────▶  sum right? number the next one?
//!   sum right, bytes as expected?      ◀────────  header{..}, each byte turned around
//! ```

use crate::bar::Bar;
use crate::growth::Growth;
use crate::random::{Random, mixed};
use crate::{Outcome, must};
use greenlet::net::{TcpListener, TcpStream};
use greenlet::{sleep, spawn, spawn_detached};
use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

const HEADER_BYTES: usize = 24;
const LARGEST_BLOCK: u64 = 16 * 1024;
/// How long a connection rests between two blocks, at most.
const LONGEST_REST_MS: u64 = 4_000;
const TICK: Duration = Duration::from_millis(200);

/// What the server has seen.
#[derive(Default)]
struct Seen {
    blocks: Cell<u64>,
    bytes: Cell<u64>,
    open: Cell<u64>,
    most_open: Cell<u64>,
    wrong: RefCell<Option<String>>,
}

/// The server; its clients are another process.
pub(crate) fn run(connections: u64, seconds: u64) -> Outcome {
    let bar = Bar::new("connections", seconds);
    let mut growth = Growth::new();
    let failed = |error: io::Error| error.to_string();
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let seen = Rc::new(Seen::default());
    let shared = seen.clone();
    let acceptor = spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let seen = shared.clone();
            spawn_detached(move || serve(stream, &seen));
        }
    });
    let mut clients = Clients::start(port, connections, seconds)?;
    let began = Instant::now();
    let success = loop {
        sleep(TICK);
        let passed = began.elapsed().as_secs().min(seconds);
        bar.at(passed);
        bar.say(format!("{} open, {} blocks", seen.open.get(), seen.blocks.get()));
        growth.at(passed, seconds);
        if let Some(wrong) = seen.wrong.take() {
            return Err(wrong);
        }
        if let Some(status) = clients.0.try_wait().map_err(failed)? {
            break status.success();
        }
    };
    must!(success, "the clients found something wrong");
    let most = seen.most_open.get();
    must!(most == connections, "{most} of {connections} were open at once");
    while seen.open.get() > 0 {
        sleep(TICK); // their ends are on the way
    }
    let figures = growth.checked()?;
    acceptor.kill();
    let (blocks, mib) = (seen.blocks.get(), seen.bytes.get() >> 20);
    Ok(format!("{connections} for {seconds} s: {blocks} blocks, {mib} MiB each way; {figures}"))
}

/// The other process; it ends with this one.
struct Clients(Child);

impl Clients {
    fn start(port: u16, connections: u64, seconds: u64) -> Result<Clients, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let child = Command::new(program)
            .args(["clients", &port.to_string(), &connections.to_string(), &seconds.to_string()])
            .stdin(Stdio::null())
            .spawn();
        child.map(Clients).map_err(|error| error.to_string())
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.0.kill(); // has ended already, mostly
        let _ = self.0.wait();
    }
}

fn serve(mut stream: TcpStream, seen: &Seen) {
    seen.open.set(seen.open.get() + 1);
    seen.most_open.set(seen.most_open.get().max(seen.open.get()));
    let mut block = Vec::new();
    for number in 0.. {
        match receive(&mut stream, number, &mut block) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                seen.wrong.replace(Some(format!("server, block {number}: {error}")));
                break;
            }
        }
        seen.blocks.set(seen.blocks.get() + 1);
        seen.bytes.set(seen.bytes.get() + block.len() as u64);
        block.iter_mut().for_each(|byte| *byte = !*byte);
        if let Err(error) = send(&mut stream, number, &block) {
            seen.wrong.replace(Some(format!("server, answer {number}: {error}")));
            break;
        }
    }
    seen.open.set(seen.open.get() - 1);
}

/// The clients' process.
pub(crate) fn clients(port: u16, connections: u64, seconds: u64) -> ExitCode {
    let until = Instant::now() + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..connections)
        .map(|index| {
            // A backlog has room for 128, and many connect at once.
            if index % 64 == 63 {
                sleep(Duration::from_millis(2));
            }
            spawn(move || client(port, index, until))
        })
        .collect();
    let ends = tasks.into_iter().enumerate();
    let failures = ends.filter_map(|(index, task)| match task.join() {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("client {index}: {error}")),
        Err(error) => Some(format!("client {index}: {error}")),
    });
    let failures: Vec<String> = failures.collect();
    failures.iter().take(5).for_each(|failure| eprintln!("{failure}"));
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn client(port: u16, seed: u64, until: Instant) -> io::Result<()> {
    let random = Random::new(mixed(seed));
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let (mut block, mut answer) = (Vec::new(), Vec::new());
    let mut number = 0;
    while Instant::now() < until {
        // Mostly short ones, as in life.
        let length = random.below(LARGEST_BLOCK) >> random.below(8);
        block.clear();
        block.extend((0..length).map(|_| random.next() as u8));
        send(&mut stream, number, &block)?;
        if !receive(&mut stream, number, &mut answer)? {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if !answer.iter().map(|byte| !byte).eq(block.iter().copied()) {
            return Err(io::Error::other("somebody else's answer"));
        }
        number += 1;
        sleep(Duration::from_millis(random.below(LONGEST_REST_MS)));
    }
    Ok(())
}

fn send(stream: &mut TcpStream, number: u64, block: &[u8]) -> io::Result<()> {
    let mut message = Vec::with_capacity(HEADER_BYTES + block.len());
    message.extend((block.len() as u64).to_le_bytes());
    message.extend(number.to_le_bytes());
    message.extend(sum(number, block).to_le_bytes());
    message.extend(block);
    stream.write_all(&message)
}

/// Takes a block, which must be that of this number; false at the end of the stream.
fn receive(stream: &mut TcpStream, number: u64, block: &mut Vec<u8>) -> io::Result<bool> {
    let mut header = [0; HEADER_BYTES];
    let mut filled = 0;
    while filled < HEADER_BYTES {
        match stream.read(&mut header[filled..])? {
            0 if filled == 0 => return Ok(false),
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            more => filled += more,
        }
    }
    let mut words = header.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    let mut word = || words.next().expect("three words");
    let (length, received, expected) = (word(), word(), word());
    if received != number || length > LARGEST_BLOCK {
        return Err(io::Error::other(format!("{length} bytes as number {received}")));
    }
    block.resize(length as usize, 0);
    stream.read_exact(block)?;
    if sum(number, block) != expected {
        return Err(io::Error::other("a wrong sum"));
    }
    Ok(true)
}

/// Changes with each byte, with their order, and with the block's number.
fn sum(number: u64, block: &[u8]) -> u64 {
    block.iter().fold(mixed(number), |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3) // FNV-1a's prime
    })
}
