//! What a replica tells of itself, every 5 s.

use serde::{Deserialize, Serialize};

use crate::{metrics::Contended, spread::Counts};

/// What a replica tells of itself. What it counts, it has counted since its start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pulse {
    /// Its name, which no other start of a replica has.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Whether load balancers should send requests to it.
    pub state: State,
    /// When it began, in milliseconds since 1970 by its own clock.
    pub started: i64,
    /// How long it has run, in milliseconds.
    pub uptime: i64,
    /// How often it did what.
    pub totals: Totals,
    /// How long acquires waited that had to wait.
    pub wait: Counts,
    /// How long locks were held that their holder released.
    pub hold: Counts,
    /// How long requests took that did not wait.
    pub latency: Counts,
    /// Requests that wait for a lock.
    pub waiters: u64,
    /// Clients that follow events.
    pub listeners: u64,
    /// Requests that wait for Redis.
    pub in_flight: u64,
    /// How long Redis took to answer it last, in microseconds.
    pub round_trip: Option<u64>,
    /// How many locks were held when this replica counted them last.
    pub held: Option<Counted>,
    /// Locks that are waited for, and what was seen of them since the last time.
    pub lines: Vec<Line>,
}

/// Whether load balancers should send requests to a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// They should.
    #[default]
    Ready,
    /// It must keep records, and can't.
    NotReady,
    /// It is about to end.
    Draining,
    /// It has ended.
    Ended,
}

/// How often a replica did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Acquires that were granted.
    pub grants: u64,
    /// Acquires that were refused because others hold the lock or wait for it.
    pub refused: u64,
    /// Leases that were extended.
    pub extends: u64,
    /// Locks that were released.
    pub releases: u64,
    /// Locks that were broken.
    pub breaks: u64,
}

impl Totals {
    /// What was done since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            grants: self.grants.saturating_sub(earlier.grants),
            refused: self.refused.saturating_sub(earlier.refused),
            extends: self.extends.saturating_sub(earlier.extends),
            releases: self.releases.saturating_sub(earlier.releases),
            breaks: self.breaks.saturating_sub(earlier.breaks),
        }
    }
}

/// How many locks were held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// How many.
    pub count: u64,
    /// When they were counted, in milliseconds since 1970 by the clock of Redis.
    pub at: i64,
}

/// A lock that is waited for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Line {
    /// The name of the lock.
    pub resource: String,
    /// Requests that wait for it at this replica.
    pub waiting: u64,
    /// What was seen of it since the last time.
    #[serde(flatten)]
    pub seen: Contended,
}

impl Line {
    /// The lines to tell: the longest, and those that cost the most waiting since the last time, `most` of each.
    pub fn hottest(longest: Vec<(String, usize)>, mut seen: Vec<(String, Contended)>, most: usize) -> Vec<Self> {
        let longest = longest.into_iter().take(most);
        let mut lines: Vec<_> =
            longest.map(|(resource, waiting)| Self { resource, waiting: waiting as u64, ..Self::default() }).collect();
        seen.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.waited_ms));
        for (rank, (resource, seen)) in seen.into_iter().enumerate() {
            match lines.iter_mut().find(|line| line.resource == resource) {
                Some(line) => line.seen = seen,
                None if rank < most => lines.push(Self { resource, waiting: 0, seen }),
                None => {}
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_is_read_as_it_is_written_and_one_of_another_version_as_far_as_it_is_known() {
        let seen = Contended { waits: 2, granted: 1, waited_ms: 30, ..Contended::default() };
        let lines = vec![Line { resource: "a".into(), waiting: 3, seen }];
        let pulse = Pulse { id: "1".into(), state: State::Draining, lines, round_trip: Some(7), ..Pulse::default() };
        let text = serde_json::to_string(&pulse).expect("JSON");
        assert_eq!(serde_json::from_str::<Pulse>(&text).expect("a pulse"), pulse);
        let other = serde_json::from_str::<Pulse>(r#"{"id":"2","new":[1]}"#).expect("a pulse");
        assert_eq!(other, Pulse { id: "2".into(), ..Pulse::default() });
    }

    #[test]
    fn the_longest_lines_and_the_dearest_are_told_once_each() {
        let seen = |name: &str, waited_ms| (name.to_string(), Contended { waited_ms, ..Contended::default() });
        let longest = vec![("a".into(), 9), ("b".into(), 5), ("c".into(), 1)];
        let lines = Line::hottest(longest, vec![seen("x", 1), seen("b", 7), seen("y", 9), seen("z", 8)], 2);
        let told: Vec<_> =
            lines.iter().map(|line| (line.resource.as_str(), line.waiting, line.seen.waited_ms)).collect();
        assert_eq!(told, [("a", 9, 0), ("b", 5, 7), ("y", 0, 9), ("z", 0, 8)]);
    }
}
