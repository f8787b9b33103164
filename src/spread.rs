//! How long things take, counted in steps of an eighth: from microseconds to days in 312 numbers. Adding one up is one
//! addition, so it may be done for each request; and what two replicas have counted can be added.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// Steps between a number and its double, as a power of two.
const FINE: u32 = 3;
/// The longest time is counted as if it were 2^40 µs, which is 12 days.
const LONGEST: u64 = 1 << 40;
/// The steps up to that.
const STEPS: usize = 312;

/// Counts how long something takes.
#[derive(Debug)]
pub struct Spread([AtomicU64; STEPS]);

/// How often something took how long: the steps that were counted, sorted, each with how often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(Vec<(u16, u64)>);

impl Default for Spread {
    fn default() -> Self {
        Self(array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Spread {
    /// It took this long once more.
    pub fn add(&self, took: Duration) {
        if let Some(count) = self.0.get(step_of(took)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// What was counted until now.
    pub fn counts(&self) -> Counts {
        let counts = (0..).zip(&self.0).map(|(step, count)| (step, count.load(Relaxed)));
        Counts(counts.filter(|(_, count)| *count > 0).collect())
    }
}

impl Counts {
    /// It took this long once more.
    pub fn add(&mut self, took: Duration) {
        let step = step_of(took) as u16;
        match self.0.binary_search_by_key(&step, |(step, _)| *step) {
            Ok(at) => self.0[at].1 += 1,
            Err(at) => self.0.insert(at, (step, 1)),
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (step, count) in &other.0 {
            match self.0.binary_search_by_key(step, |(step, _)| *step) {
                Ok(at) => self.0[at].1 = self.0[at].1.saturating_add(*count),
                Err(at) => self.0.insert(at, (*step, *count)),
            }
        }
    }

    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |step: u16| match earlier.0.binary_search_by_key(&step, |(step, _)| *step) {
            Ok(at) => earlier.0[at].1,
            Err(_) => 0,
        };
        let left = self.0.iter().map(|(step, count)| (*step, count.saturating_sub(before(*step))));
        Self(left.filter(|(_, count)| *count > 0).collect())
    }

    /// How often it was counted.
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// So many of a hundred took no longer than this, in milliseconds. Nothing if nothing was counted.
    pub fn percentile(&self, percent: u64) -> Option<f64> {
        let all = self.count();
        // The last of those that belong to the part: of one, it is that one.
        let rank = (u128::from(all) * u128::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let (step, _) = self.0.iter().find(|(_, count)| {
            seen += u128::from(*count);
            seen >= rank
        })?;
        let (from, to) = (start_of(*step), start_of(step.saturating_add(1)));
        // To three digits, which is more than a step tells.
        let middle = (from + to) as f64 / 2000.0;
        let unit = 10_f64.powi(2 - middle.log10().floor() as i32);
        Some((middle * unit).round() / unit)
    }
}

/// The step that a time belongs to.
fn step_of(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(LONGEST).clamp(1, LONGEST - 1);
    let shift = micros.ilog2().saturating_sub(FINE);
    ((u64::from(shift) << FINE) + (micros >> shift)) as usize
}

/// The shortest time of a step, in microseconds.
fn start_of(step: u16) -> u64 {
    let whole = u64::from(step);
    if whole < 2 << FINE {
        return whole;
    }
    let shift = (whole >> FINE) - 1;
    // Below the longest time, whoever has written the step.
    ((whole & ((1 << FINE) - 1)) + (1 << FINE)) << shift.min(40)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_lies_within_its_step_and_a_step_is_an_eighth_wide(micros in 1..LONGEST) {
            let step = step_of(Duration::from_micros(micros));
            prop_assert!(step < STEPS);
            let (from, to) = (start_of(step as u16), start_of(step as u16 + 1));
            prop_assert!(from <= micros && micros < to, "{micros} is not from {from} to {to}");
            prop_assert!(to - from <= (from / 8).max(1));
        }

        #[test]
        fn what_two_count_is_added_and_what_was_before_is_taken_away(
            one in prop::collection::vec(1..LONGEST, 0..30), other in prop::collection::vec(1..LONGEST, 0..30),
        ) {
            let counts = |times: &[u64]| {
                let spread = Spread::default();
                times.iter().for_each(|micros| spread.add(Duration::from_micros(*micros)));
                spread.counts()
            };
            let mut sum = counts(&one);
            sum.merge(&counts(&other));
            prop_assert_eq!(&sum, &counts(&[one.as_slice(), &other].concat()));
            prop_assert_eq!(sum.since(&counts(&one)), counts(&other));
            prop_assert_eq!(sum.count() as usize, one.len() + other.len());
            let mut alone = Counts::default();
            one.iter().for_each(|micros| alone.add(Duration::from_micros(*micros)));
            prop_assert_eq!(alone, counts(&one));
        }
    }

    #[test]
    fn a_percentile_is_near_the_time_that_so_many_took_at_most() {
        let mut counts = Counts::default();
        assert_eq!(counts.percentile(50), None);
        (1..=100).for_each(|millis| counts.add(Duration::from_millis(millis)));
        for (percent, expected) in [(50, 50.0), (99, 99.0), (100, 100.0), (1, 1.0)] {
            let told = counts.percentile(percent).expect("something was counted");
            assert!((told - expected).abs() <= expected * 0.07, "{percent} %: {told}");
        }
    }

    #[test]
    fn a_step_that_no_replica_writes_breaks_nothing() {
        for text in ["[[65535,3]]", "[[0,18446744073709551615],[400,18446744073709551615]]"] {
            let mut counts: Counts = serde_json::from_str(text).expect("counts");
            counts.merge(&counts.clone());
            assert!(counts.percentile(99).is_some_and(f64::is_finite), "{text}");
        }
    }
}
