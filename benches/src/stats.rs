//! Medians and their intervals, free of any assumption about the noise.

/// A median with the order-statistic interval that holds the true one with at least 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Median {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Median {
    /// Of at least one value.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Median> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        let last = count.checked_sub(1)?;
        let median = (sorted[last / 2] + sorted[count / 2]) / 2.0;
        let rank = lower_rank(count);
        Some(Median { median, low: sorted[rank], high: sorted[last - rank] })
    }

    /// Of the ratios of each round.
    pub fn of_ratios(own: &[f64], base: &[f64]) -> Option<Median> {
        Median::of(own.iter().zip(base).map(|(own, base)| own / base))
    }
}

/// The largest rank, from 0, whose value lies above the true median with at most 2.5 %. It does when
/// no more than that many values fall below the median, and their number is binomial with one half.
fn lower_rank(count: usize) -> usize {
    let mut term = 0.5f64.powi(count as i32);
    let mut below = term;
    let mut rank = 0;
    while below <= 0.025 && rank + 1 < count {
        term *= (count - rank) as f64 / (rank + 1) as f64;
        below += term;
        rank += 1;
    }
    rank.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_binomial_table() {
        // Tables of the sign test give, counted from 1, ranks 4 of 15, 10 of 31 and 14 of 41.
        assert_eq!((lower_rank(15), lower_rank(31), lower_rank(41)), (3, 9, 13));
        assert_eq!((lower_rank(1), lower_rank(2)), (0, 0));
    }

    #[test]
    fn median_of_even_and_odd_counts() {
        let median = |values: &[f64]| Median::of(values.iter().copied()).map(|it| it.median);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        let wide = Median::of((1..=15).map(f64::from));
        assert_eq!(wide, Some(Median { median: 8.0, low: 4.0, high: 12.0 }));
        let half = Median::of_ratios(&[1.0, 2.0], &[2.0, 4.0]).map(|ratio| ratio.median);
        assert_eq!(half, Some(0.5));
    }
}
