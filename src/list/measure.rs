//! What a timer costs: `cargo test --release --lib list -- --ignored --nocapture`.

#![expect(unsafe_code, reason = "timers are linked by promise")]

use std::hint::black_box;
use std::ptr::null;
use std::time::Instant;

use super::model::Random;
use super::{Timer, Wheel};

const MS: u64 = 1_000_000;

fn timers(count: usize) -> Vec<Timer> {
    std::iter::repeat_with(|| Timer::new(null())).take(count).collect()
}

/// Nanoseconds for each of `count` calls, the best of five.
fn each(count: usize, mut run: impl FnMut()) -> f64 {
    let once = || {
        let start = Instant::now();
        run();
        start.elapsed().as_nanos() as f64 / count as f64
    };
    std::iter::repeat_with(once).take(5).fold(f64::MAX, f64::min)
}

/// A random one of `live` timers gets a new deadline within a minute.
fn rearm(live: usize) -> f64 {
    const COUNT: usize = 1 << 21;
    let (timers, mut random) = (timers(live), Random(1));
    let wheel = Wheel::new(1);
    let choices: Vec<_> =
        (0..COUNT).map(|_| (random.below(live as u64) as u32, random.below(60_000 * MS))).collect();
    each(COUNT, || {
        for &(i, deadline_ns) in &choices {
            let timer = &timers[i as usize];
            // SAFETY: the timers stay in their vector, which ends after the wheel.
            unsafe {
                wheel.remove(timer);
                wheel.insert(timer, deadline_ns);
            }
        }
    })
}

/// Timers with random deadlines up to `span_ns` away, all fired in steps of 1 ms.
fn expire(count: usize, span_ns: u64) -> f64 {
    let (timers, mut random) = (timers(count), Random(1));
    let deadlines: Vec<_> = timers.iter().map(|_| random.below(span_ns)).collect();
    each(count, || {
        let (wheel, mut fired) = (Wheel::new(0), 0);
        for (timer, deadline_ns) in timers.iter().zip(&deadlines) {
            // SAFETY: as above, and the wheel ends here.
            unsafe { wheel.insert(timer, *deadline_ns) };
        }
        let mut now_ns = 0;
        while wheel.len() > 0 {
            now_ns += MS;
            wheel.advance(now_ns, usize::MAX, |_| fired += 1);
        }
        assert_eq!(fired, count);
    })
}

/// A timeout that does not fire, among as many others; one clock for all.
fn unfired(others: usize, timeout_ns: u64) -> f64 {
    const COUNT: usize = 1 << 22;
    let (timers, timer) = (timers(others), Timer::new(null()));
    let wheel = Wheel::new(1);
    for timer in &timers {
        // SAFETY: as above.
        unsafe { wheel.insert(timer, timeout_ns) };
    }
    each(COUNT, || {
        for _ in 0..COUNT {
            // SAFETY: it stays until it is removed.
            unsafe {
                wheel.insert(black_box(&timer), black_box(timeout_ns));
                wheel.remove(black_box(&timer));
            }
        }
    })
}

/// The worst look: at a slot of as many others, after one was inserted before them all.
fn look(others: usize) -> f64 {
    const COUNT: usize = 1 << 10;
    let (timers, timer) = (timers(others), Timer::new(null()));
    let wheel = Wheel::new(0);
    for (i, timer) in (1..).zip(&timers) {
        // SAFETY: as above.
        unsafe { wheel.insert(timer, MS / 2 + i) };
    }
    each(COUNT, || {
        for i in 0..COUNT as u64 {
            // SAFETY: it stays until it is removed.
            unsafe { wheel.insert(&timer, i) };
            assert_eq!(wheel.next_deadline(), Some(i));
            // SAFETY: it is in this wheel.
            unsafe { wheel.remove(&timer) };
        }
    })
}

#[test]
#[ignore = "takes seconds and proves nothing"]
fn measure_the_wheel() {
    for live in [10_000, 1_000_000] {
        println!("rearm a random one of/{live}: {:.1} ns", rearm(live));
    }
    for span_ms in [10, 1_000, 60_000] {
        let ns = expire(1_000_000, span_ms * MS);
        println!("insert 1M, expire within/{span_ms} ms: {ns:.1} ns");
    }
    for (others, ms) in [(0, 30_000), (1, 30_000), (1_000, 30_000), (0, 10), (1_000, 10)] {
        let ns = unfired(others, ms * MS);
        println!("insert and remove/{ms} ms, {others} others: {ns:.2} ns");
    }
    for others in [10, 1_000] {
        println!("next_deadline out of order/{others} in the slot: {:.0} ns", look(others));
    }
}
