//! Medians with quartiles.

/// A median and the quartiles around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quartiles {
    pub lower: f64,
    pub median: f64,
    pub upper: f64,
}

impl Quartiles {
    /// Of at least one value.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Quartiles> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let at = |part: f64| {
            let place = part * last as f64;
            let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        Some(Quartiles { lower: at(0.25), median: at(0.5), upper: at(0.75) })
    }

    /// Of the ratios of each round.
    pub fn of_ratios(own: &[f64], base: &[f64]) -> Option<Quartiles> {
        Quartiles::of(own.iter().zip(base).map(|(own, base)| own / base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_the_values() {
        let five = Quartiles::of([5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!(five, Some(Quartiles { lower: 2.0, median: 3.0, upper: 4.0 }));
        let two = Quartiles::of([1.0, 3.0]);
        assert_eq!(two, Some(Quartiles { lower: 1.5, median: 2.0, upper: 2.5 }));
        assert_eq!(Quartiles::of([]), None);
        let half = Quartiles::of_ratios(&[1.0, 2.0], &[2.0, 4.0]).map(|ratio| ratio.median);
        assert_eq!(half, Some(0.5));
    }
}
