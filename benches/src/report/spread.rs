//! The middle of several rounds, and how far they lie apart.

/// What several rounds say about one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The largest.
    pub max: f64,
    /// How many there were.
    pub rounds: usize,
}

impl Spread {
    /// Of these values, in any order; `None` of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let lower = if values.len().is_multiple_of(2) { values[middle - 1] } else { upper };
        Some(Self {
            min: values[0],
            median: (lower + upper) / 2.0,
            max: values[values.len() - 1],
            rounds: values.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_number_of_rounds_has_a_middle_one() {
        let spread = Spread::of([9.0, 1.0, 4.0]);
        assert_eq!(spread, Some(Spread { min: 1.0, median: 4.0, max: 9.0, rounds: 3 }));
    }

    #[test]
    fn the_median_of_an_even_number_of_rounds_lies_between_the_middle_two() {
        let spread = Spread::of([10.0, 1.0, 4.0, 2.0]);
        assert_eq!(spread, Some(Spread { min: 1.0, median: 3.0, max: 10.0, rounds: 4 }));
    }

    #[test]
    fn one_round_is_its_own_spread_and_none_has_none() {
        assert_eq!(Spread::of([7.0]), Some(Spread { min: 7.0, median: 7.0, max: 7.0, rounds: 1 }));
        assert_eq!(Spread::of([]), None);
    }
}
