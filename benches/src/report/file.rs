//! What report.toml says.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

/// What report.toml says about figures, costs, aims and plots.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Names, each with the command that prints the value.
    pub circumstances: Vec<[String; 2]>,
    pub varied: BTreeMap<String, String>,
    pub figures: Vec<Figure>,
    /// The figures of a section, where those are not all.
    pub shown: BTreeMap<String, Vec<String>>,
    pub costs: Vec<Line>,
    pub aims: Vec<Line>,
    pub plots: Vec<Plot>,
    pub looks: BTreeMap<String, Look>,
    pub series: Vec<Look>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    pub name: String,
    pub title: String,
    #[serde(default)]
    pub compared: bool,
}

/// A workload, a contestant and a size.
pub type Place = (String, String, u64);

/// A line of the costs or of the aims: in words what it tells, where the value comes from, and the limit of an aim.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub what: String,
    /// The figure of a place.
    #[serde(default)]
    pub figure: String,
    pub of: Option<Place>,
    /// The place whose figure divides.
    pub to: Option<Place>,
    /// The places whose figures are subtracted.
    #[serde(default)]
    pub minus: Vec<Place>,
    /// Instead of a measured figure: the kinds of budget.toml whose mean is the value.
    #[serde(default)]
    pub instructions: Vec<String>,
    pub at_least: Option<f64>,
    pub at_most: Option<f64>,
}

/// A plot and its place in the document.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plot {
    pub file: String,
    /// The workload under which the plot stands.
    pub workload: String,
    /// What the plot shows, for readers who can't see it.
    pub alt: String,
    pub title: String,
    pub y: String,
    #[serde(default)]
    pub logarithmic: bool,
    /// A plot over sizes has one figure. Otherwise these figures stand beside each other or, `stacked`, on each other.
    #[serde(default)]
    pub figures: Vec<String>,
    #[serde(default)]
    pub stacked: bool,
    /// Instead, lines of Gorilla over sizes: each a workload, a figure and a name.
    #[serde(default)]
    pub lines: Vec<[String; 3]>,
}

/// How a line looks. Hollow markers, and the names beside the lines, help readers who can't tell the colours apart.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    pub colour: [u8; 3],
    #[serde(default)]
    pub hollow: bool,
}

pub fn told() -> &'static Told {
    static TOLD: LazyLock<Told> =
        LazyLock::new(|| toml::from_str(include_str!("../../report.toml")).expect("report.toml is well-formed"));
    &TOLD
}
