//! What replicas have told, and what each did from one time to the next.

use std::{collections::HashMap, sync::Arc};

use super::{
    pulse::{Pulse, State, Totals},
    range::Range,
};
use crate::spread::Counts;

/// A replica that has told nothing for longer than this is not there any more, in milliseconds.
const SEEN_WITHIN: i64 = 15_000;
/// A replica that tells of itself the first time is known from its start, if it has not run for longer, in milliseconds.
const YOUNG: i64 = 15_000;

/// What replicas have told in the longest range, the oldest first. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct History(Vec<Arc<Seen>>);

/// What a replica has told, and when, in milliseconds since 1970 by the clock of Redis.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When.
    pub at: i64,
    /// What.
    pub pulse: Pulse,
}

/// What a replica did in a time.
#[derive(Clone, Debug)]
pub struct Span<'a> {
    /// The replica.
    pub id: &'a str,
    /// When the time begins and ends, in milliseconds since 1970.
    pub from: i64,
    /// When it ends.
    pub to: i64,
    /// How often it did what.
    pub totals: Totals,
    /// How long acquires waited.
    pub wait: Counts,
    /// How long locks were held.
    pub hold: Counts,
    /// How long requests took.
    pub latency: Counts,
}

impl History {
    /// Adds what was told later. Text that is not a pulse is left out.
    pub fn add(&mut self, at: i64, text: &str) {
        if let Ok(pulse) = serde_json::from_str::<Pulse>(text) {
            self.0.push(Arc::new(Seen { at, pulse }));
        }
    }

    /// Forgets what is older than the longest range, with a little to spare: what a replica did in a time takes what it had
    /// told before that time.
    pub fn forget(&mut self, now: i64) {
        let from = self.0.partition_point(|seen| seen.at < now - Range::LONGEST.millis() - 2 * SEEN_WITHIN);
        self.0.drain(..from);
    }

    /// All that was told after a time.
    pub fn after(&self, time: i64) -> &[Arc<Seen>] {
        &self.0[self.0.partition_point(|seen| seen.at <= time)..]
    }

    /// What each replica told last, of those that were there at a time.
    pub fn present(&self, at: i64) -> Vec<&Seen> {
        let mut last: HashMap<&str, &Seen> = HashMap::new();
        for seen in self.after(at - SEEN_WITHIN).iter().take_while(|seen| seen.at <= at) {
            last.insert(&seen.pulse.id, seen);
        }
        let mut present: Vec<_> = last.into_values().filter(|seen| seen.pulse.state != State::Ended).collect();
        present.sort_by(|one, other| one.pulse.id.cmp(&other.pulse.id));
        present
    }

    /// What each replica did from one time that it told of itself to the next, after a time.
    pub fn spans(&self, after: i64) -> Vec<Span<'_>> {
        let mut before: HashMap<&str, &Seen> = HashMap::new();
        let mut spans = Vec::new();
        let nothing = Pulse::default();
        for seen in &self.0 {
            let Seen { at, pulse } = &**seen;
            let earlier = before.insert(&pulse.id, seen);
            let base = match earlier {
                Some(earlier) => Some((earlier.at, &earlier.pulse)),
                None => (0..=YOUNG).contains(&pulse.uptime).then_some((at - pulse.uptime, &nothing)),
            };
            if let Some((from, base)) = base
                && *at > after
            {
                spans.push(Span {
                    id: &pulse.id,
                    from,
                    to: *at,
                    totals: pulse.totals.since(&base.totals),
                    wait: pulse.wait.since(&base.wait),
                    hold: pulse.hold.since(&base.hold),
                    latency: pulse.latency.since(&base.latency),
                });
            }
        }
        spans
    }
}
