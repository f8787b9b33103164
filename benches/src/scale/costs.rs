//! What a request costs each process, fitted to measured processor times.

use crate::results::Figures;

/// The processor time of a process, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// For a request.
    pub each: f64,
    /// For a command to Redis besides, which may have many requests.
    pub command: f64,
    /// For waking up besides, after which a process may serve many requests.
    pub wake: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Costs {
    pub load: Cost,
    pub replica: Cost,
    pub redis: Cost,
}

impl Costs {
    /// Fits the costs to samples with few and many clients, with and without batches.
    pub fn of(samples: &[&Figures]) -> Self {
        let cost = |name: &str| {
            let figure = |sample: &Figures, figure: &str| sample.get(figure).copied().unwrap_or_default();
            let rows = samples.iter().map(|sample| {
                let commands = if name == "load" { 0.0 } else { figure(sample, "commands") };
                let wakes = figure(sample, &format!("{name}_wakes"));
                ([1.0, commands, wakes], figure(sample, &format!("{name}_cpu_us")))
            });
            let [each, command, wake] = fitted(&rows.filter(|(_, time)| *time > 0.0).collect::<Vec<_>>());
            Cost { each, command, wake }
        };
        Self { load: cost("load"), replica: cost("replica"), redis: cost("redis") }
    }
}

/// The factors, none of them negative, whose sums come nearest to the results, each error being a part of its result.
fn fitted(rows: &[([f64; 3], f64)]) -> [f64; 3] {
    let mut factors = [0.0; 3];
    // Each factor in turn becomes the best beside the others.
    for turn in 0..30_000 {
        let changed = turn % 3;
        let (mut above, mut below) = (0.0, 0.0);
        for (parts, result) in rows {
            let others: f64 = (0..3).filter(|one| *one != changed).map(|one| parts[one] * factors[one]).sum();
            above += parts[changed] * (result - others) / (result * result);
            below += (parts[changed] / result).powi(2);
        }
        factors[changed] = if below > 0.0 { (above / below).max(0.0) } else { 0.0 };
    }
    factors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_costs_behind_the_samples_are_found_and_none_is_negative() {
        let rows = [[1.0, 1.0, 1.0], [1.0, 0.5, 0.2], [1.0, 0.1, 0.05], [1.0, 1.0, 0.1]];
        let all = |costs: [f64; 3]| {
            rows.map(|parts| (parts, parts.iter().zip(costs).map(|(part, cost)| part * cost).sum::<f64>()))
        };
        for costs in [[20.0, 15.0, 60.0], [20.0, 0.0, 60.0]] {
            let found = fitted(&all(costs));
            assert!(found.iter().zip(costs).all(|(found, cost)| (found - cost).abs() < 0.1), "{found:?}");
        }
        assert!(fitted(&all([20.0, -5.0, 60.0])).iter().all(|cost| *cost >= 0.0));
    }
}
