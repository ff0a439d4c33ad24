//! What a switch costs, and what the hub's tasks cost beside threads.

use super::Size;
use super::screen::{Progress, bar, time};
use greenlet::{Greenlet, suspend};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Suspends below `depth` calls that are not inlined, as a `read` in a real handler would.
#[inline(never)]
fn suspend_below(depth: usize, value: u64) -> u64 {
    if depth == 0 { suspend(value) } else { black_box(suspend_below(depth - 1, value)) }
}

pub(crate) fn round_trips(size: Size) {
    const ROUNDS: u64 = 100_000;
    let progress = Progress::new("switching");
    let mut figures = Vec::new();
    for depth in [0, 2, 4, 8] {
        let echo = Greenlet::new(move |mut value: u64| -> () {
            loop {
                value = suspend_below(depth, value);
            }
        });
        let best = best_of(size.time(0.3), ROUNDS, || {
            for value in 0..ROUNDS {
                assert_eq!(echo.switch::<u64, u64>(black_box(value)), value);
            }
        });
        figures.push((depth, best));
        progress.show(figures.len() as f64 / 4.0);
    }
    drop(progress);
    let longest = figures.iter().map(|&(_, ns)| ns).fold(1.0, f64::max);
    for (depth, ns) in figures {
        println!("  {depth} calls {:>9}  {}", time(ns), bar(ns / longest, 40));
    }
}

pub(crate) fn tasks(size: Size) {
    let limit = size.time(0.3);
    let progress = Progress::new("spawning");
    let spawned = best_of(limit, 1000, || {
        for number in 0..1000 {
            assert_eq!(greenlet::spawn(move || number).join().ok(), Some(number));
        }
    });
    progress.show(0.2);
    let threads = best_of(limit, 50, || {
        for number in 0..50 {
            assert_eq!(std::thread::spawn(move || number).join().ok(), Some(number));
        }
    });
    progress.show(0.4);
    let yielded = best_of(limit, 100 * 100, || {
        let yielding = || (0..100).for_each(|_| greenlet::yield_now());
        let tasks: Vec<_> = (0..100).map(|_| greenlet::spawn(yielding)).collect();
        tasks.into_iter().for_each(|task| task.join().expect("it only yields"));
    });
    progress.show(0.6);
    let limited = best_of(limit, 1000, || {
        for number in 0..1000 {
            let second = Duration::from_secs(1);
            assert_eq!(greenlet::timeout(second, || black_box(number)), Ok(number));
        }
    });
    drop(progress);
    println!("  spawn and join a greenlet           {:>9}", time(spawned));
    println!("  spawn and join a thread             {:>9}", time(threads));
    println!("  yield, among 100                    {:>9}", time(yielded));
    println!("  a time limit that does not pass     {:>9}", time(limited));
}

/// Nanoseconds of one of the `rounds` that each call of `f` makes, in its best call.
fn best_of(limit: Duration, rounds: u64, mut f: impl FnMut()) -> f64 {
    let (began, mut best) = (Instant::now(), Duration::MAX);
    while best == Duration::MAX || began.elapsed() < limit {
        let start = Instant::now();
        f();
        best = best.min(start.elapsed());
    }
    best.as_nanos() as f64 / rounds as f64
}
