//! Calls that can only block, beside a greenlet that goes on ticking.
//!
//! ```text
//! cargo run --release --example offload [NAME]
//! ```
//!
//! The same long computation three times: in place it holds the whole thread up, and nothing ticks;
//! offloaded it does not; four at a time on a pool of threads it does not either. Then the addresses of
//! NAME (`localhost` if none is given), by the standard library's resolver, which blocks.

use greenlet::pool::ThreadPool;
use greenlet::{offload, sleep, spawn, timeout};
use std::cell::Cell;
use std::hash::{DefaultHasher, Hasher};
use std::net::ToSocketAddrs;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How much is hashed: some tenths of a second in a release build.
const MEGABYTES: u64 = if cfg!(debug_assertions) { 8 } else { 400 };

fn main() {
    let ticks = Rc::new(Cell::new(0));
    let ticking = spawn({
        let ticks = ticks.clone();
        move || {
            loop {
                sleep(Duration::from_millis(1));
                ticks.set(ticks.get() + 1);
            }
        }
    });

    let report = |what: &str, f: &dyn Fn() -> u64| {
        let (before, began) = (ticks.get(), Instant::now());
        let result = f();
        let (count, took) = (ticks.get() - before, began.elapsed().as_millis());
        println!("{what:<12} {result:016x} in {took} ms, {count} ticks meanwhile");
        count
    };

    let blocked = report("in place", &|| hash(1));
    let offloaded = report("offloaded", &|| offload(|| hash(1)));
    let pool = ThreadPool::new(4);
    let parts = report("four parts", &|| {
        let parts = pool.map(1..=4, hash).unwrap_or_default();
        parts.into_iter().fold(0, |all, part| all ^ part)
    });
    println!("in place nothing ticks: {}", blocked == 0);
    println!("offloaded it does: {}", offloaded > 0 && parts > 0);

    let name = std::env::args().nth(1).unwrap_or_else(|| "localhost".to_owned());
    let wanted = name.clone();
    let look_up = || offload(move || (wanted, 80).to_socket_addrs().map(Vec::from_iter));
    match timeout(Duration::from_secs(5), look_up) {
        Ok(Ok(addresses)) => println!("{name}: {} addresses, {:?}", addresses.len(), addresses),
        Ok(Err(error)) => println!("{name}: {error}"),
        Err(late) => println!("{name}: {late}"), // the resolver goes on; nobody waits for it
    }
    ticking.kill();
}

/// Takes a while.
fn hash(seed: u64) -> u64 {
    let block = [seed as u8; 1 << 12];
    let mut hasher = DefaultHasher::new();
    for _ in 0..MEGABYTES << 8 {
        hasher.write(&block);
    }
    hasher.finish()
}
