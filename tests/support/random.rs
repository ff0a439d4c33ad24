//! Numbers from a seed, which is printed when a test fails.
#![allow(dead_code, reason = "shared by several test binaries")]

use std::cell::Cell;

pub(crate) struct Random(Cell<u64>);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(Cell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1))
    }

    pub(crate) fn next(&self) -> u64 {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0.set(x);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    pub(crate) fn below(&self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Calls `run` with so many seeds, or with `GREENLET_SEEDS`, and says with which one it fails.
/// `GREENLET_SEED` is the only one if it is set.
pub(crate) fn seeds(count: u64, run: impl Fn(u64)) {
    struct OnFailure(u64);
    impl Drop for OnFailure {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("GREENLET_SEED={}", self.0);
            }
        }
    }
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().unwrap());
    let count = number("GREENLET_SEEDS").unwrap_or(count);
    let range = number("GREENLET_SEED").map_or(0..count, |seed| seed..seed + 1);
    for seed in range {
        let _on_failure = OnFailure(seed);
        run(seed);
    }
}
