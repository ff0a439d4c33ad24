//! may with one worker; the measuring loop is a coroutine itself. Its timers have a thread of their own,
//! so the processor time is that of the process. It has no timeout around code.

use std::time::Duration;

use may::coroutine::{JoinHandle, sleep, yield_now};
use may::go;

use super::{may_sync, sleep_length};
use crate::cpu::ProcessClock;

/// The loops of this peer.
pub fn loops(what: &str, size: usize, laps: u64) -> Option<Duration> {
    may::config().set_workers(1);
    let measured: fn(usize, u64) = match what {
        "spawn" => spawns,
        "yield" => yields,
        "sleep" => sleeps,
        _ => may_sync::measured(what, size)?,
    };
    let timed = go!(move || {
        let clock = ProcessClock::own();
        let began = clock.now().expect("the own clock");
        measured(size, laps);
        clock.now().expect("the own clock") - began
    });
    Some(timed.join().expect("it does not panic"))
}

pub(super) fn join(tasks: impl IntoIterator<Item = JoinHandle<u64>>) {
    for task in tasks {
        std::hint::black_box(task.join().expect("it does not panic"));
    }
}

fn spawns(size: usize, laps: u64) {
    let mut tasks = Vec::with_capacity(size);
    for lap in 0..laps {
        tasks.extend((0..size).map(|_| go!(move || lap)));
        join(tasks.drain(..));
    }
}

fn yields(size: usize, laps: u64) {
    let task = |_| {
        go!(move || {
            (0..laps).for_each(|_| yield_now());
            laps
        })
    };
    join((0..size).map(task).collect::<Vec<_>>());
}

fn sleeps(size: usize, laps: u64) {
    let task = |task| {
        go!(move || {
            (0..laps).for_each(|lap| sleep(sleep_length(task, lap)));
            laps
        })
    };
    join((0..size).map(task).collect::<Vec<_>>());
}
