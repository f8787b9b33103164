//! Results that tests make up.

use crate::results::{Contestant, Results, Sample};

/// Results that grow by the line.
#[derive(Default)]
pub struct Fixture {
    /// What has been made up.
    pub results: Results,
}

impl Fixture {
    /// One figure in some rounds.
    pub fn rounds(&mut self, workload: &str, contestant: &str, at: u64, figure: &str, rounds: &[(u32, f64)]) {
        for &(round, value) in rounds {
            let same = |sample: &&mut Sample| {
                (&*sample.workload, &*sample.contestant, sample.at, sample.round) == (workload, contestant, at, round)
            };
            if let Some(sample) = self.results.samples.iter_mut().find(same) {
                sample.figures.insert(figure.into(), value);
                continue;
            }
            self.results.samples.push(Sample {
                workload: workload.into(),
                contestant: contestant.into(),
                at,
                round,
                figures: [(figure.into(), value)].into(),
            });
        }
    }

    /// One figure in three rounds, the second of which is 1 % higher and the third 2 %.
    pub fn steady(&mut self, workload: &str, contestant: &str, at: u64, figures: &[(&str, f64)]) {
        for &(figure, value) in figures {
            let rounds = [(1, value), (2, value * 1.01), (3, value * 1.02)];
            self.rounds(workload, contestant, at, figure, &rounds);
        }
    }

    /// A contestant of the list.
    pub fn contestant(&mut self, name: &str, missing: Option<&str>) {
        self.results.contestants.push(Contestant {
            name: name.into(),
            what: format!("{name} 1.0"),
            missing: missing.map(Into::into),
        });
    }
}
