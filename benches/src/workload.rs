//! The workloads of workloads.toml: what clients do with their locks, how many clients there are, and which contestants
//! take part.

use std::sync::LazyLock;

use anyhow::{Context, Result};
use serde::Deserialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The first request, which some servers need once.
    Opening,
    Acquire,
    Status,
    Extend,
    Release,
}

/// What clients do again and again. workloads.toml explains each workload.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    pub name: String,
    #[serde(default)]
    pub opening: Vec<Step>,
    pub cycle: Vec<Step>,
    #[serde(default)]
    pub one_lock: bool,
    /// What stands behind the name of a language for the clients of this workload, if there is such a language.
    pub variant: Option<String>,
    /// How many clients, the first ones, speak the language without the variant.
    #[serde(default)]
    pub alone: usize,
    pub clients: Vec<u64>,
    pub paced_by: Option<String>,
    pub contestants: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    workloads: Vec<Workload>,
}

/// All workloads, in the order in which they are measured.
pub fn all() -> &'static [Workload] {
    static FILE: LazyLock<File> =
        LazyLock::new(|| toml::from_str(include_str!("../workloads.toml")).expect("workloads.toml is well-formed"));
    &FILE.workloads
}

pub fn named(name: &str) -> Result<&'static Workload> {
    all().iter().find(|workload| workload.name == name).with_context(|| format!("no workload is called {name}"))
}
