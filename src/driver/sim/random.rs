//! Random numbers out of a seed: a row of its own for each concern, so that one more draw for one
//! concern changes nothing for the others.

/// What numbers are drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concern {
    /// What a seed is like as a whole: its ratios.
    World,
    /// When things happen, and in which order.
    Time,
    /// What is in transit, and how much of it.
    Data,
    /// Which errors come.
    Error,
    /// What is written into buffers before their operations end.
    Buffer,
    /// What the program asks for.
    Program,
}

const CONCERNS: usize = 6;

/// The rows of one seed.
#[derive(Debug, Clone)]
pub(crate) struct Dice([u64; CONCERNS]);

/// A bijection that leaves no trace of its argument's pattern (SplitMix64's).
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        let row =
            |concern: usize| mix(seed.wrapping_add(STEP).wrapping_mul(2 * concern as u64 + 1));
        Dice(std::array::from_fn(row))
    }

    pub(crate) fn next(&mut self, concern: Concern) -> u64 {
        let row = &mut self.0[concern as usize];
        *row = row.wrapping_add(STEP);
        mix(*row)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, concern: Concern, end: u64) -> u64 {
        ((u128::from(self.next(concern)) * u128::from(end)) >> 64) as u64
    }

    /// True so often in 65,536 times. A ratio of 0 draws nothing.
    pub(super) fn happens(&mut self, concern: Concern, ratio: u16) -> bool {
        ratio != 0 && self.next(concern) as u16 <= ratio
    }

    /// A length of time, mostly short: one of four distributions, up to 10 s.
    pub(super) fn delay_ns(&mut self) -> u64 {
        let longest = match self.below(Concern::Time, 16) {
            0..=7 => 50_000,
            8..=12 => 5_000_000,
            13..=14 => 500_000_000,
            _ => 10_000_000_000,
        };
        self.below(Concern::Time, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_does_not_depend_on_the_others() {
        let (mut a, mut b) = (Dice::new(7), Dice::new(7));
        a.next(Concern::Data);
        assert_eq!(a.next(Concern::Time), b.next(Concern::Time));
        assert_ne!(Dice::new(8).next(Concern::Time), Dice::new(7).next(Concern::Time));
    }

    #[test]
    fn numbers_stay_below_their_end_and_reach_all_of_it() {
        let mut dice = Dice::new(1);
        let mut seen = [0; 5];
        for _ in 0..1000 {
            seen[dice.below(Concern::Program, 5) as usize] += 1;
        }
        assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
        assert!(!dice.happens(Concern::Error, 0) && dice.happens(Concern::Error, u16::MAX));
    }
}
