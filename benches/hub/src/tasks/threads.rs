//! Threads of the system, all on the one CPU, with the locks and queues of std and crossbeam: what a
//! hand-over costs that the kernel makes.

use std::hint::black_box;
use std::sync::{Mutex, mpsc};
use std::thread::{scope, yield_now};
use std::time::Duration;

use crate::cpu::ProcessClock;

/// The loops of std.
pub fn std_loops(what: &str, size: usize, laps: u64) -> Option<Duration> {
    match (what, size) {
        ("queue", capacity) => time(|| {
            let (items, taken) = mpsc::sync_channel(capacity);
            let put = move |lap| items.send(lap).expect("open");
            hand_off(laps, put, move || taken.recv().expect("open"));
        }),
        ("mutex", 1) => time(|| {
            let mutex = black_box(Mutex::new(0));
            for lap in 0..laps {
                *mutex.lock().expect("not poisoned") += lap;
            }
        }),
        ("mutex", size) => time(|| {
            let mutex = Mutex::new(0);
            let contend = || {
                for lap in 0..laps {
                    let mut locked = mutex.lock().expect("not poisoned");
                    *locked += lap;
                    yield_now();
                }
            };
            scope(|s| (0..size).for_each(|_| drop(s.spawn(contend))));
        }),
        _ => None,
    }
}

/// The loops of crossbeam.
pub fn crossbeam_loops(what: &str, size: usize, laps: u64) -> Option<Duration> {
    match (what, size) {
        ("queue", capacity) => time(|| {
            let (items, taken) = crossbeam_channel::bounded(capacity);
            let put = move |lap| items.send(lap).expect("open");
            hand_off(laps, put, move || taken.recv().expect("open"));
        }),
        _ => None,
    }
}

fn hand_off(laps: u64, put: impl Fn(u64) + Send, get: impl Fn() -> u64 + Send) {
    scope(|s| {
        s.spawn(move || black_box((0..laps).map(|_| get()).sum::<u64>()));
        s.spawn(move || (0..laps).for_each(put));
    });
}

/// The processor time of the process: more than one of its threads work.
fn time(measured: impl FnOnce()) -> Option<Duration> {
    let clock = ProcessClock::own();
    let began = clock.now().ok()?;
    measured();
    Some(clock.now().ok()? - began)
}
