//! What was measured, as it is kept between measuring and reporting.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};

/// Everything that one `bench run` saw.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    /// What the figures depend on: `machine`, `kernel`, `date`, `commit`, `redis`, `rustc` and the like.
    pub circumstances: BTreeMap<String, String>,
    /// Each contestant's version and what it was made to do, in the order in which tables have them.
    pub contestants: Vec<Contestant>,
    /// The measurements, in the order in which they were taken.
    pub samples: Vec<Sample>,
}

/// Who is compared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Contestant {
    /// As samples have it, for instance `webdis`.
    pub name: String,
    /// Its version, and what one cycle of it does.
    pub what: String,
    /// Why there are no samples of it.
    pub missing: Option<String>,
}

/// One contestant under one workload for some seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// The workload, for instance `own-locks`.
    pub workload: String,
    /// Who.
    pub contestant: String,
    /// What the workload is varied by: clients, held locks, waiters or replicas.
    pub at: u64,
    /// Which round, from 1: samples of the same round were taken right after each other, so their ratio means something.
    pub round: u32,
    /// The figures by name; the unit is the name's end: `cycles_per_s`, `p50_us`, `p99_us`, `replica_cpu_us` (a request),
    /// `redis_cpu_us` (a request), `load_busy_percent` (of a core) and so on; `src/report/words.rs` has them all.
    pub figures: BTreeMap<String, f64>,
}

impl Results {
    /// Reads what `save` wrote.
    pub fn load(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// The median over all rounds.
    pub fn median(&self, workload: &str, contestant: &str, at: u64, figure: &str) -> Option<f64> {
        let samples = self.samples.iter();
        let samples = samples.filter(|s| s.workload == workload && s.contestant == contestant && s.at == at);
        let mut figures: Vec<_> = samples.filter_map(|sample| sample.figures.get(figure).copied()).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    }

    /// Writes it as JSON.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_vec_pretty(self)?)
    }
}
