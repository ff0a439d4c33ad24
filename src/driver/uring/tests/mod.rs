//! The ring of the running kernel, alone: no hub, no greenlets. Nothing here sleeps to wait for
//! something; a thread that must be met is met at a socket.
#![expect(unsafe_code, reason = "pushes entries, whose frames these tests are")]

/// Ends a test where the machine refuses all rings: in an emulator, or behind a filter that the whole
/// suite is run under.
macro_rules! needs_a_ring {
    () => {
        if crate::driver::uring::tests::rings_are_refused() {
            return;
        }
    };
}

mod pool;
mod queues;
mod races;
mod refused;
mod requests;
mod waits;

use super::Uring;
use crate::driver::{
    Capabilities, Completion, Entry, Fd, Pushed, Request, Settings, Token, Wait, Waker,
};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Asked once: rings are freed late, and a user may have few.
fn rings_are_refused() -> bool {
    static REFUSED: OnceLock<bool> = OnceLock::new();
    let refused = *REFUSED.get_or_init(|| ring(&Settings::default()).is_err());
    if refused {
        eprintln!("skipped: io_uring is refused here");
    }
    refused
}

/// A ring; waits while there is no memory for one: a user who may lock little gets that of rings
/// which have ended back late.
fn ring(settings: &Settings) -> io::Result<Uring> {
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        match Uring::new(settings) {
            Err(error)
                if error.raw_os_error() == Some(libc::ENOMEM) && Instant::now() < give_up =>
            {
                std::thread::yield_now();
            }
            answer => return answer,
        }
    }
}

/// A ring and what it has put out so far.
struct Bench {
    uring: Uring,
    ended: Vec<Completion>,
}

impl Bench {
    fn new(settings: &Settings) -> Bench {
        let uring = ring(settings).expect("this machine has io_uring");
        Bench { uring, ended: Vec::new() }
    }

    fn without(disabled: Capabilities) -> Bench {
        Bench::new(&Settings { disabled, ..Settings::default() })
    }

    /// Pushes an entry, whose completions the test then waits for.
    fn push(&mut self, entry: &Entry) {
        // SAFETY: the frame of the test holds the entry and waits for its end.
        match unsafe { self.uring.push(entry) } {
            Pushed::Queued => {}
            Pushed::Done(result) => {
                self.ended.push(Completion { token: entry.token, result, flags: 0 });
            }
        }
    }

    /// One round.
    fn turn(&mut self, wait: Wait) {
        self.uring.enter(wait);
        self.uring.reap(|completion| self.ended.push(completion));
    }

    /// Rounds until there is a completion for this token; takes it out.
    fn wait(&mut self, token: Token) -> Completion {
        loop {
            if let Some(at) = self.ended.iter().position(|ended| ended.token == token) {
                return self.ended.remove(at);
            }
            self.turn(Wait::ForEver);
        }
    }

    /// Pushes an entry and waits for its end.
    fn run(&mut self, entry: &Entry) -> Completion {
        self.push(entry);
        self.wait(entry.token)
    }

    fn result(&mut self, request: Request) -> i32 {
        let record = 0_u64;
        let entry = Entry::new(request, operation(&record));
        let Completion { result, flags, .. } = self.run(&entry);
        assert_eq!(flags, 0);
        result
    }
}

/// The token of an operation whose record is `record`.
fn operation(record: &u64) -> Token {
    Token::new(record, Token::OPERATION)
}

fn fd(file: &impl AsRawFd) -> Fd {
    Fd::new(file.as_raw_fd())
}

fn recv(fd: Fd, buffer: &mut [u8]) -> Request {
    Request::Recv { fd, buffer: buffer.as_mut_ptr(), length: buffer.len(), flags: 0 }
}

fn send(fd: Fd, bytes: &[u8]) -> Request {
    Request::Send { fd, buffer: bytes.as_ptr(), length: bytes.len(), flags: 0 }
}

/// All operations that have an alternative.
fn every_operation() -> Capabilities {
    ["accept", "connect", "recv", "send", "recvmsg", "sendmsg", "read", "write"]
        .iter()
        .map(|name| Capabilities::parse(name).unwrap())
        .fold(Capabilities::NONE, Capabilities::with)
}

/// Everything but io_uring itself.
fn everything() -> Capabilities {
    let all = Capabilities::NAMES.iter().map(|(_, one)| *one);
    all.fold(Capabilities::NONE, Capabilities::with).without(Capabilities::URING)
}
