//! What a million stacks cost: `cargo test --release -- --ignored --nocapture a_million`.

#![expect(unsafe_code, reason = "the yardstick speaks to the kernel itself")]

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::advise::{self, MADV_GUARD_INSTALL};
use super::{Cache, Shape, child};

const COUNT: usize = 1_000_000;

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

/// The yardstick: one mapping, one `madvise` and one touched page for each stack.
fn plain_loop() -> f64 {
    let stride = Shape::DEFAULT.stride_bytes();
    let mut mapping = memmap2::MmapOptions::new()
        .len(COUNT * stride)
        .stack()
        .no_reserve_swap()
        .map_anon()
        .unwrap();
    let base = mapping.as_mut_ptr();
    let start = Instant::now();
    for slot in 0..COUNT {
        let guard = base.wrapping_add(slot * stride);
        // SAFETY: the slot is part of our mapping, and nothing is in it.
        unsafe {
            let built = libc::madvise(guard.cast(), Shape::DEFAULT.guard_bytes, MADV_GUARD_INSTALL);
            assert_eq!(built, 0);
            guard.add(stride - 64).write_volatile(1);
        }
    }
    start.elapsed().as_nanos() as f64 / COUNT as f64
}

fn cache() -> f64 {
    let cache = Cache::new();
    let before = mappings();
    let start = Instant::now();
    for _ in 0..COUNT {
        cache.take(Shape::DEFAULT).unwrap();
    }
    let each = start.elapsed().as_nanos() as f64 / COUNT as f64;
    let added = mappings().saturating_sub(before);
    println!("a million stacks added {added} mappings");
    assert!(added <= 16);
    each
}

#[test]
#[ignore = "takes 4 GiB and a minute"]
fn a_million_stacks_cost_little_more_than_their_pages() {
    const WHAT: &str = "GREENLET_MEASURE";
    if let Ok(what) = std::env::var(WHAT) {
        advise::VECTORS.store(what == "batched", Ordering::Relaxed);
        let each = if what == "plain" { plain_loop() } else { cache() };
        println!("{what}: {each:.0} ns for each of {COUNT} stacks");
        return;
    }
    // Each in a process of its own, so that all begin with the same address space, and in turns.
    for what in ["plain", "batched", "single"].repeat(3) {
        let test = "stack::measure::a_million_stacks_cost_little_more_than_their_pages";
        let output = child::run(test, &[(WHAT, what)]).unwrap();
        child::assert_passed(&output);
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().filter(|line| line.contains("stacks")).for_each(|line| println!("{line}"));
    }
}
