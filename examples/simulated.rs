//! A test of a program in simulated worlds: hours of its time in an instant, under many seeds.
//!
//! ```text
//! cargo run --features sim --example simulated
//! ```
//!
//! The program is a client that keeps a value up to date: it asks a server once a minute, gives up an
//! answer that takes longer than 5 s, and tries again after a pause that doubles. The server is slow
//! now and then, and is down for an hour. What must hold: the client never shows a value that is older
//! than the outage and two minutes, and it has the right one in the end.

use greenlet::net::{TcpListener, TcpStream};
use greenlet::sim::{self, Faults, Sim};
use greenlet::{sleep, spawn, timeout};
use std::cell::Cell;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const SERVER: &str = "10.0.0.1:99";

/// What is tested. It knows nothing of simulation.
fn keep_up_to_date(latest: &Cell<Option<u64>>) -> ! {
    let mut pause = Duration::from_secs(1);
    loop {
        match timeout(Duration::from_secs(5), ask) {
            Ok(Ok(value)) => {
                latest.set(Some(value));
                pause = Duration::from_secs(1);
                sleep(MINUTE);
            }
            Ok(Err(_)) | Err(_) => {
                sleep(pause);
                pause = (pause * 2).min(MINUTE);
            }
        }
    }
}

fn ask() -> io::Result<u64> {
    let mut answer = [0; 8];
    TcpStream::connect(SERVER)?.read_exact(&mut answer)?;
    Ok(u64::from_be_bytes(answer))
}

/// Answers with the number of minutes that have passed; slow one time in eight.
fn serve_until(end: Duration) -> io::Result<()> {
    let listener = TcpListener::bind(SERVER)?;
    while let Ok(accepted) = timeout(end.saturating_sub(sim::elapsed()), || listener.accept()) {
        let Ok((mut stream, _)) = accepted else { continue }; // broken by now
        if sim::random_below(8) == 0 {
            sleep(Duration::from_secs(10));
        }
        let minutes = sim::elapsed().as_secs() / 60;
        let _ = stream.write_all(&minutes.to_be_bytes()); // it may have gone
    }
    Ok(())
}

/// Two hours up, an hour down, two hours up.
fn day() -> u64 {
    let latest = Rc::new(Cell::new(None));
    let shown = Rc::clone(&latest);
    let client = spawn(move || keep_up_to_date(&shown));
    let server = spawn(|| -> io::Result<()> {
        serve_until(120 * MINUTE)?;
        sleep(60 * MINUTE);
        serve_until(300 * MINUTE)
    });
    let mut oldest = 0;
    while sim::elapsed() < 299 * MINUTE {
        sleep(MINUTE);
        if let Some(value) = latest.get() {
            oldest = oldest.max(sim::elapsed().as_secs() / 60 - value);
        }
    }
    client.kill();
    server.join().expect("no panic").expect("the port is free");
    assert!(latest.get().is_some_and(|value| value >= 290), "in the end: {latest:?}");
    oldest
}

/// Runs the day under so many seeds; gives the oldest value that was ever shown, in minutes.
pub(crate) fn try_seeds(seeds: u64) -> u64 {
    // What may break a connection; but always the server's port can be had.
    let faults = Faults::timing().with(Faults::ERRORS);
    let run = |seed| match Sim::new(seed).faults(faults).try_run(day) {
        Ok((oldest, _)) => oldest,
        Err(failure) => panic!("{failure}"),
    };
    (0..seeds).map(run).max().unwrap_or_default()
}

#[allow(dead_code, reason = "a test calls the rest")]
fn main() {
    let began = std::time::Instant::now();
    let oldest = try_seeds(100);
    assert!(oldest <= 70, "a value of {oldest} minutes was shown");
    println!(
        "100 seeds, five hours of virtual time each: no value was older than {oldest} minutes ({:?})",
        began.elapsed()
    );
}
