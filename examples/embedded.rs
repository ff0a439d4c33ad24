//! Greenlets inside an event loop that is not theirs, as that of a toolkit or of a game: it waits for
//! the hub's descriptor among its own, and gives the hub a turn.
//!
//! ```text
//! cargo run --release --example embedded
//! ```
//!
//! The loop here is the plainest there is: poll(2) over a pipe of its own, and a tick of its own. Beside
//! it, and without it knowing, greenlets serve connections, sleep, and are called from another thread.

#![expect(unsafe_code, reason = "poll(2), which the loop waits by")]

use greenlet::net::{TcpListener, TcpStream};
use greenlet::{HubHandle, next_turn, sleep, spawn, spawn_detached, turn, turn_fd};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(5);

fn main() -> io::Result<()> {
    // What the greenlets do.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let _server = spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            spawn_detached(move || drop(stream.write_all(b"hello from a greenlet")));
        }
    });
    let client = spawn(move || -> io::Result<String> {
        let mut text = String::new();
        for _ in 0..100 {
            text.clear();
            TcpStream::connect(address)?.read_to_string(&mut text)?;
            sleep(Duration::from_millis(1));
        }
        Ok(text)
    });

    // What other threads do: one calls a greenlet, and then tells the loop, by its own pipe.
    let hub = HubHandle::current();
    let (mut told, tell) = UnixStream::pair()?;
    let thread = std::thread::spawn(move || {
        let sum = hub.spawn(|| (1..=10).sum::<u32>()).join().expect("it does not panic");
        (&tell).write_all(&[u8::try_from(sum).expect("55")])
    });

    // The loop. A hub on poll or select has no descriptor: then it is asked every millisecond.
    let hub = turn_fd().ok();
    let longest = hub.map_or(Duration::from_millis(1), |_| Duration::MAX);
    let (mut ticks, mut said, mut next_tick) = (0, None, Instant::now() + TICK);
    while !client.is_finished() || said.is_none() || ticks < 3 {
        // No longer than until the hub's next turn or its own next tick.
        let until_tick = next_tick.saturating_duration_since(Instant::now());
        let until_turn = next_turn().unwrap_or(Duration::MAX);
        let wait = until_turn.min(until_tick).min(longest);
        // A negative number is not looked at; poll(2).
        let pipe = if said.is_none() { told.as_raw_fd() } else { -1 };
        let [hub_is_due, is_told] = poll([hub.unwrap_or(-1), pipe], wait)?;
        if is_told {
            let mut byte = [0];
            told.read_exact(&mut byte)?;
            said = Some(byte[0]);
        }
        if Instant::now() >= next_tick {
            ticks += 1;
            next_tick += TICK;
        }
        if hub_is_due || hub.is_none() || wait >= until_turn {
            turn(Duration::ZERO);
        }
    }

    println!("the loop has ticked, and was told {}", said.expect("it was"));
    println!("the last of 100 connections brought: {}", client.join().expect("no panic")?);
    thread.join().expect("no panic")
}

/// Which of the descriptors are readable, after `wait` at most.
fn poll<const N: usize>(fds: [RawFd; N], wait: Duration) -> io::Result<[bool; N]> {
    let mut polled = fds.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    // Rounded up, so that it is not called again and again in the last millisecond.
    let ms = i32::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
    // SAFETY: as many records as said.
    let answer = unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, ms) };
    let error = io::Error::last_os_error();
    if answer < 0 && error.kind() != io::ErrorKind::Interrupted {
        return Err(error);
    }
    Ok(polled.map(|one| answer > 0 && one.revents != 0))
}
