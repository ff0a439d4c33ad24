//! The greenlets of this crate under their hub; the measuring loop is a task itself.

use std::time::Duration;

use greenlet::{JoinHandle, sleep, spawn, timeout, yield_now};
use greenlet_benches::measure::Stopwatch;

use super::{FAR, hub_sync, sleep_length};

/// The loops of this crate.
pub fn loops(what: &str, size: usize, laps: u64) -> Option<Duration> {
    let measured: fn(usize, u64) = match what {
        "spawn" if size == 1 => one_at_a_time,
        "spawn" => batches,
        "yield" => yields,
        "sleep" => sleeps,
        "timeout" => timeouts,
        _ => hub_sync::measured(what, size)?,
    };
    let timed = spawn(move || {
        let began = Stopwatch::start();
        measured(size, laps);
        began.elapsed()
    });
    Some(timed.join().expect("it does not panic"))
}

pub(super) fn join(tasks: impl IntoIterator<Item = JoinHandle<u64>>) {
    for task in tasks {
        std::hint::black_box(task.join().expect("it does not panic"));
    }
}

fn one_at_a_time(_: usize, laps: u64) {
    for lap in 0..laps {
        std::hint::black_box(spawn(move || lap).join().expect("it does not panic"));
    }
}

fn batches(size: usize, laps: u64) {
    let mut tasks = Vec::with_capacity(size);
    for lap in 0..laps {
        tasks.extend((0..size).map(|_| spawn(move || lap)));
        join(tasks.drain(..));
    }
}

fn yields(size: usize, laps: u64) {
    let task = |_| {
        spawn(move || {
            (0..laps).for_each(|_| yield_now());
            laps
        })
    };
    join((0..size).map(task).collect::<Vec<_>>());
}

fn sleeps(size: usize, laps: u64) {
    let task = |task| {
        spawn(move || {
            (0..laps).for_each(|lap| sleep(sleep_length(task, lap)));
            laps
        })
    };
    join((0..size).map(task).collect::<Vec<_>>());
}

fn timeouts(size: usize, laps: u64) {
    let task = |_| {
        spawn(move || {
            (0..laps).for_each(|_| timeout(FAR, yield_now).expect("it does not fire"));
            laps
        })
    };
    join((0..size).map(task).collect::<Vec<_>>());
}
