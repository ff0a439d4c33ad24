//! Counts of times, in classes 3 % wide: enough to say where the slowest hundredth begins.

use super::screen::{bar, time};

/// Classes for each doubling.
const FINE: usize = 32;

pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Histogram {
        Histogram { counts: vec![0; 64 * FINE], total: 0 }
    }

    pub(crate) fn add(&mut self, ns: u64) {
        self.counts[class(ns)] += 1;
        self.total += 1;
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The time within which this share of all ended.
    pub(crate) fn within(&self, share: f64) -> f64 {
        let wanted = (share * self.total as f64).ceil() as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        });
        found.map_or(0.0, |class| lower(class + 1))
    }

    /// A line for each range of times, all but the slowest hundredth.
    pub(crate) fn plot(&self) {
        const ROWS: usize = 10;
        let (first, last) = (class(self.within(0.0) as u64), class(self.within(0.99) as u64));
        let step = (last + 1 - first).div_ceil(ROWS).max(1);
        let rows = (first..=last).step_by(step);
        let share = |from: usize| {
            let count: u64 = self.counts[from..from + step].iter().sum();
            count as f64 / self.total.max(1) as f64
        };
        let longest = rows.clone().map(share).fold(0.0, f64::max);
        for from in rows {
            let (share, to) = (share(from), time(lower(from + step)));
            println!("  up to {to:>8} │{:<40} {:4.1} %", bar(share / longest, 40), share * 100.0);
        }
        println!("  the slowest hundredth takes up to {}", time(self.within(1.0)));
    }
}

/// Below `FINE` a class for each number; above, `FINE` for each power of two.
fn class(ns: u64) -> usize {
    let doublings = (ns / FINE as u64).checked_ilog2().map_or(0, |log| log as usize);
    match ns < FINE as u64 {
        true => ns as usize,
        false => (doublings + 1) * FINE + (ns >> doublings) as usize - FINE,
    }
}

/// The smallest time of a class.
fn lower(class: usize) -> f64 {
    match (class / FINE, class % FINE) {
        (0, rest) => rest as f64,
        (doublings, rest) => ((FINE + rest) as u64) as f64 * 2_f64.powi(doublings as i32 - 1),
    }
}
