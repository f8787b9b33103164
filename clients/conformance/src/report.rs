//! What is said about the scenarios: a line for each, and a table at the end.

use std::collections::BTreeMap;

/// How a scenario ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It passed.
    Passed,
    /// It failed, for these reasons, and passed when it ran once more, alone.
    PassedAlone(Vec<String>),
    /// It does not apply to the client, for this reason.
    NotApplicable(String),
    /// It failed for these reasons, also when it ran once more, alone.
    Failed(Vec<String>),
}

/// A scenario and how it ended.
#[derive(Clone, Debug)]
pub struct Result {
    /// The scenario.
    pub name: String,
    /// The cases and rules that it is about.
    pub covers: Vec<String>,
    /// How it ended.
    pub status: Status,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Everything that was said, in the order of time.
    pub story: Vec<String>,
}

/// How all scenarios ended.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// By the order in which they ended.
    pub results: Vec<Result>,
    /// The name that the client gives itself.
    pub client: String,
}

impl Result {
    /// The line of a scenario, with what is wrong beneath.
    pub fn line(&self) -> String {
        let (word, reasons) = match &self.status {
            Status::Passed => ("passed", Vec::new()),
            Status::PassedAlone(reasons) => ("passed alone", reasons.clone()),
            Status::NotApplicable(reason) => ("not applicable", vec![reason.clone()]),
            Status::Failed(reasons) => ("FAILED", reasons.clone()),
        };
        let mut line = format!("{word:14} {:5.1} s  {}", self.seconds, self.name);
        for reason in reasons {
            line += &format!("\n{:24}{reason}", "");
        }
        line
    }
}

impl Report {
    /// Whether no scenario failed.
    pub fn is_good(&self) -> bool {
        self.failed().is_empty()
    }

    /// The names of the scenarios that failed.
    pub fn failed(&self) -> Vec<&str> {
        let failed = self.results.iter().filter(|result| matches!(result.status, Status::Failed(_)));
        failed.map(|result| &*result.name).collect()
    }

    /// The table: a line for each case and rule, and the sums.
    pub fn table(&self) -> String {
        let mut rows = BTreeMap::<(String, u32), Counts>::new();
        for result in &self.results {
            for covered in &result.covers {
                let (kind, number) = covered.split_once(' ').unwrap_or((covered, "0"));
                rows.entry((kind.into(), number.parse().unwrap_or_default())).or_default().count(&result.status);
            }
        }
        let mut table = format!(
            "{}\n\n{:10} {:>9} {:>7} {:>6} {:>14} {:>6}\n",
            self.client, "", "scenarios", "passed", "alone", "not applicable", "failed"
        );
        for ((kind, number), counts) in &rows {
            let name = if *number == 0 { kind.clone() } else { format!("{kind} {number}") };
            table += &counts.row(&name);
        }
        let mut all = Counts::default();
        self.results.iter().for_each(|result| all.count(&result.status));
        table += &all.row("all");
        table
    }
}

#[derive(Default)]
struct Counts {
    scenarios: u32,
    passed: u32,
    alone: u32,
    not_applicable: u32,
    failed: u32,
}

impl Counts {
    fn count(&mut self, status: &Status) {
        self.scenarios += 1;
        match status {
            Status::Passed => self.passed += 1,
            Status::PassedAlone(_) => self.alone += 1,
            Status::NotApplicable(_) => self.not_applicable += 1,
            Status::Failed(_) => self.failed += 1,
        }
    }

    fn row(&self, name: &str) -> String {
        let Self { scenarios, passed, alone, not_applicable, failed } = self;
        format!("{name:10} {scenarios:>9} {passed:>7} {alone:>6} {not_applicable:>14} {failed:>6}\n")
    }
}
