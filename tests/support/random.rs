//! Numbers from a seed, which is printed when a test fails: the same ones in every run.
#![allow(dead_code, reason = "shared by several test binaries")]

use std::cell::Cell;

/// SplitMix64: small, and every seed is as good as any other.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
#[derive(Debug)]
pub(crate) struct Random(Cell<u64>);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(Cell::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        mixed(state)
    }

    /// From 0 to `end - 1`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.next() % end
    }

    /// A place among so many.
    pub(crate) fn index(&self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    pub(crate) fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn fill(&self, words: &mut [u64]) {
        words.fill_with(|| self.next());
    }
}

/// A number that has nothing to do with `number`, and is no other number's.
pub(crate) fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
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
