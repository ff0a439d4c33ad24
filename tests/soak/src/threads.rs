//! Threads that end while their greenlets are parked.

use crate::bar::Bar;
use crate::growth::Growth;
use crate::{Outcome, must};
use greenlet::net::UnixStream;
use greenlet::sync::Event;
use greenlet::sync::queue::Queue;
use greenlet::{sleep, spawn, yield_now};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

const GREENLETS: u64 = 100;
const AT_ONCE: u64 = 4;

/// Each greenlet has something to drop, and waits for what never comes.
struct Guard(Arc<AtomicU64>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

pub(crate) fn run(threads: u64) -> Outcome {
    let bar = Bar::new("threads", threads);
    let mut growth = Growth::new();
    let dropped = Arc::new(AtomicU64::new(0));
    for done in (0..threads).step_by(AT_ONCE as usize) {
        thread::scope(|scope| {
            (0..AT_ONCE).for_each(|_| {
                scope.spawn(|| greenlet::run(|| leave(&dropped)));
            });
        });
        let expected = (done + AT_ONCE) * GREENLETS;
        let dropped = dropped.load(Relaxed);
        must!(dropped == expected, "{dropped} of {expected} destructors ran");
        growth.at(done, threads);
        bar.at(done + AT_ONCE);
    }
    Ok(format!("{} greenlets unwound; {}", dropped.load(Relaxed), growth.checked()?))
}

/// Leaves greenlets behind that wait for the clock, for each other, and for the kernel.
fn leave(dropped: &Arc<AtomicU64>) {
    let (mut near, _far) = UnixStream::pair().expect("two descriptors");
    let reader = Guard(dropped.clone());
    let reader = spawn(move || {
        let _reader = reader;
        near.read(&mut [0; 8]).map(drop)
    });
    drop(reader);
    for number in 1..GREENLETS {
        let guard = Guard(dropped.clone());
        let parked = spawn(move || {
            let _guard = guard;
            match number % 3 {
                0 => sleep(Duration::from_secs(3_600)),
                1 => Event::new().wait(),
                _ => drop(Queue::<u8>::unbounded().get()),
            }
        });
        drop(parked);
    }
    yield_now();
}
