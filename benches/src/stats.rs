//! Medians and their intervals, free of any assumption about the noise.

/// A median with the order-statistic interval that holds the true one with at least 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Median {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// The median of `values` and its interval.
///
/// # Panics
/// When `values` is empty.
pub fn median(values: impl IntoIterator<Item = f64>) -> Median {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    let middle = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2.0;
    let rank = lower_rank(count);
    Median { median: middle, low: sorted[rank], high: sorted[count - 1 - rank] }
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
        assert_eq!(median([3.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]).median, 2.5);
        let wide = median((1..=15).map(f64::from));
        assert_eq!(wide, Median { median: 8.0, low: 4.0, high: 12.0 });
    }
}
