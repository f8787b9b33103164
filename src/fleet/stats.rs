//! Adds up what replicas have told.

use std::collections::HashMap;

use gorilla_wire::{Count, Period, Replica, ReplicaState, Series, Spread, Stats};

use super::{
    history::{History, Seen, Span},
    pulse::{Counted, State},
    range::Range,
};
use crate::{metrics::Contended, rfc3339::Rfc3339, spread::Counts};

/// How far back the latest figures go, in milliseconds.
const LATEST: i64 = 60_000;

/// What all replicas did in a range that ends now (ms since 1970), and do now. `counted` is how many locks were held, if this
/// replica has counted them.
pub fn stats(history: &History, range: Range, now: i64, counted: Option<Counted>) -> Stats {
    let from = now - range.millis();
    let spans = history.spans(from);
    let present = history.present(now);
    let sum = |what: fn(&Seen) -> u64| present.iter().map(|seen| what(seen)).sum();
    let told = history.after(from).iter().filter_map(|seen| seen.pulse.held);
    let held = told.chain(counted).max_by_key(|counted| counted.at);
    Stats {
        now: time(now),
        range_seconds: range.seconds(),
        step_seconds: range.step(),
        replicas: present.len() as u64,
        held: held.map(|held| Count { count: held.count, counted_at: time(held.at) }),
        waiting: sum(|seen| seen.pulse.waiters),
        in_flight: sum(|seen| seen.pulse.in_flight),
        listeners: sum(|seen| seen.pulse.listeners),
        latest: period(&spans, now - LATEST),
        total: period(&spans, from),
        series: series(history, &spans, range, now),
    }
}

/// The replicas that are there now.
pub fn replicas(history: &History, now: i64) -> Vec<Replica> {
    let spans = history.spans(now - LATEST);
    let replica = |seen: &Seen| {
        let pulse = &seen.pulse;
        let own: Vec<_> = spans.iter().filter(|span| span.id == pulse.id).cloned().collect();
        let latest = period(&own, now - LATEST);
        Replica {
            id: pulse.id.clone(),
            version: pulse.version.clone(),
            state: match pulse.state {
                State::Ready => ReplicaState::Ready,
                State::NotReady => ReplicaState::NotReady,
                State::Draining | State::Ended => ReplicaState::Draining,
            },
            started_at: time(pulse.started),
            seen_at: time(seen.at),
            waiters: pulse.waiters,
            listeners: pulse.listeners,
            in_flight: pulse.in_flight,
            round_trip_ms: pulse.round_trip.map(|micros| micros as f64 / 1000.0),
            grants_per_second: latest.grants_per_second,
            refused_per_second: latest.refused_per_second,
        }
    };
    history.present(now).into_iter().map(replica).collect()
}

/// What was seen of each lock that was waited for after a time, and the most requests that waited for it at one replica.
pub fn contended(history: &History, after: i64) -> HashMap<&str, (Contended, u64)> {
    let mut all: HashMap<&str, (Contended, u64)> = HashMap::new();
    for line in history.after(after).iter().flat_map(|seen| &seen.pulse.lines) {
        let (seen, longest) = all.entry(&line.resource).or_default();
        seen.merge(&line.seen);
        *longest = line.waiting.max(*longest);
    }
    all
}

/// What these spans have together, as far as they end after a time.
fn period(spans: &[Span<'_>], after: i64) -> Period {
    let mut period = Period::default();
    let (mut begin, mut end) = (i64::MAX, after);
    let (mut wait, mut hold, mut latency) = (Counts::default(), Counts::default(), Counts::default());
    for span in spans.iter().filter(|span| span.to > after) {
        begin = begin.min(span.from);
        end = end.max(span.to);
        period.grants += span.totals.grants;
        period.refused += span.totals.refused;
        period.extends += span.totals.extends;
        period.releases += span.totals.releases;
        period.breaks += span.totals.breaks;
        wait.merge(&span.wait);
        hold.merge(&span.hold);
        latency.merge(&span.latency);
    }
    let millis = if begin < end { end - begin } else { 0 };
    period.seconds = (millis as u64).div_ceil(1000);
    period.grants_per_second = per_second(period.grants as f64, millis as f64);
    period.refused_per_second = per_second(period.refused as f64, millis as f64);
    (period.wait, period.hold, period.latency) = (spread(&wait), spread(&hold), spread(&latency));
    period
}

/// What a replica did within a step: how much of the step is known (ms), and how often it did what.
#[derive(Clone, Copy, Default)]
struct Part {
    known: f64,
    grants: f64,
    refused: f64,
}

fn series(history: &History, spans: &[Span<'_>], range: Range, now: i64) -> Series {
    let step = (range.step() * 1000) as i64;
    let steps = range.millis() / step;
    // At multiples of a step, so that a series that is asked for again has the same points.
    let first = (now / step - steps + 1) * step;
    let steps = steps as usize;
    // Of each replica the parts of each step, and of all what is counted by the step in which it was told.
    let mut parts: HashMap<&str, Vec<Part>> = HashMap::new();
    let nothing = vec![Counts::default(); steps];
    let (mut wait, mut hold, mut latency) = (nothing.clone(), nothing.clone(), nothing);
    for span in spans {
        let own = parts.entry(span.id).or_insert_with(|| vec![Part::default(); steps]);
        let all = (span.to - span.from).max(1) as f64;
        for (at, part) in own.iter_mut().enumerate() {
            let begin = first + at as i64 * step;
            let known = (span.to.min(begin + step) - span.from.max(begin)).max(0) as f64;
            part.known += known;
            part.grants += span.totals.grants as f64 * known / all;
            part.refused += span.totals.refused as f64 * known / all;
        }
        if let Some(at) = usize::try_from((span.to - first).div_euclid(step)).ok().filter(|at| *at < steps) {
            wait[at].merge(&span.wait);
            hold[at].merge(&span.hold);
            latency[at].merge(&span.latency);
        }
    }
    let rate = |at: usize, what: fn(&Part) -> f64| {
        let known = parts.values().map(|own| own[at]).filter(|part| part.known > 0.0);
        let rates: Vec<_> = known.map(|part| what(&part) * 1000.0 / part.known).collect();
        (!rates.is_empty()).then(|| round(rates.iter().sum()))
    };
    let mut series = Series { from: time(first), ..Series::default() };
    for at in 0..steps {
        let end = (first + (at as i64 + 1) * step).min(now);
        let present = history.present(end);
        let waiting = present.iter().map(|seen| seen.pulse.waiters).sum();
        series.waiting.push((!present.is_empty()).then_some(waiting));
        series.grants_per_second.push(rate(at, |part| part.grants));
        series.refused_per_second.push(rate(at, |part| part.refused));
        series.wait_p99_ms.push(wait[at].percentile(99));
        series.hold_p50_ms.push(hold[at].percentile(50));
        series.latency_p99_ms.push(latency[at].percentile(99));
    }
    series.held = vec![None; steps];
    let mut counts: Vec<_> = history.after(first).iter().filter_map(|seen| seen.pulse.held).collect();
    counts.sort_by_key(|counted| counted.at);
    for counted in counts {
        let at = usize::try_from((counted.at - first).div_euclid(step)).ok();
        if let Some(held) = at.and_then(|at| series.held.get_mut(at)) {
            *held = Some(counted.count);
        }
    }
    series
}

fn spread(counts: &Counts) -> Spread {
    Spread { count: counts.count(), p50_ms: counts.percentile(50), p99_ms: counts.percentile(99) }
}

fn per_second(count: f64, millis: f64) -> f64 {
    if millis > 0.0 { round(count * 1000.0 / millis) } else { 0.0 }
}

/// To a hundredth.
fn round(rate: f64) -> f64 {
    (rate * 100.0).round() / 100.0
}

fn time(at: i64) -> String {
    Rfc3339::from_millis(at).as_str().into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fleet::pulse::{Line, Pulse, Totals};

    const NOW: i64 = 1_795_801_900_000;

    fn told(history: &mut History, at: i64, pulse: &Pulse) {
        history.add(at, &serde_json::to_string(pulse).expect("JSON"));
    }

    fn pulse(id: &str, grants: u64, waiters: u64) -> Pulse {
        let totals = Totals { grants, refused: grants / 2, ..Totals::default() };
        Pulse { id: id.into(), totals, waiters, uptime: 100_000, ..Pulse::default() }
    }

    /// Two replicas that tell of themselves every 5 s for a minute, with 10 and 20 grants in a second.
    fn two() -> History {
        let mut history = History::default();
        for beat in 0..=12 {
            let at = NOW - 60_000 + beat as i64 * 5000;
            told(&mut history, at, &pulse("a", beat * 50, 3));
            told(&mut history, at, &pulse("b", 1_000_000 + beat * 100, 4));
        }
        history
    }

    #[test]
    fn what_two_replicas_did_is_added_up() {
        let stats = stats(&two(), "5m".parse().expect("a range"), NOW, None);
        assert_eq!((stats.replicas, stats.waiting, stats.total.seconds), (2, 7, 60));
        assert_eq!((stats.total.grants, stats.total.refused), (1800, 900));
        assert_eq!((stats.latest.grants_per_second, stats.latest.refused_per_second), (30.0, 15.0));
        let series = &stats.series;
        assert_eq!((series.waiting.len(), stats.step_seconds), (60, 5));
        assert_eq!(series.waiting.iter().rev().take(3).collect::<Vec<_>>(), [&Some(7); 3]);
        assert_eq!(series.waiting[0], None);
        let known: Vec<_> = series.grants_per_second.iter().flatten().collect();
        assert!(known.len() >= 12 && known.iter().all(|rate| (29.9..=30.1).contains(*rate)), "{known:?}");
    }

    #[test]
    fn a_replica_that_is_silent_or_has_ended_is_not_there() {
        let mut history = two();
        assert_eq!(replicas(&history, NOW + 14_000).len(), 2);
        assert_eq!(replicas(&history, NOW + 15_001).len(), 0);
        told(&mut history, NOW + 1000, &Pulse { state: State::Ended, ..pulse("b", 1_002_000, 0) });
        let left: Vec<_> = replicas(&history, NOW + 1000).into_iter().map(|replica| replica.id).collect();
        assert_eq!(left, ["a"]);
        assert_eq!(stats(&history, Range::default(), NOW + 1000, None).waiting, 3);
    }

    #[test]
    fn a_new_replica_counts_from_its_start_and_one_that_nobody_saw_begin_from_when_it_was_seen() {
        for (uptime, expected) in [(4_000, 70), (90_000, 20)] {
            let mut history = History::default();
            told(&mut history, NOW - 5000, &Pulse { uptime, ..pulse("a", 50, 0) });
            told(&mut history, NOW, &Pulse { uptime: uptime + 5000, ..pulse("a", 70, 0) });
            assert_eq!(stats(&history, Range::default(), NOW, None).total.grants, expected);
        }
    }

    #[test]
    fn nothing_is_known_where_nobody_has_told_anything() {
        let stats = stats(&History::default(), Range::default(), NOW, None);
        assert_eq!((stats.replicas, stats.total.seconds, stats.total.grants_per_second), (0, 0, 0.0));
        assert_eq!(stats.series.waiting, vec![None; 180]);
        assert_eq!(stats.total.wait, Spread::default());
    }

    #[test]
    fn the_newest_count_of_held_locks_is_told() {
        let mut history = two();
        let held = |count, ago| Some(Counted { count, at: NOW - ago });
        told(&mut history, NOW, &Pulse { held: held(7, 9000), ..pulse("c", 0, 0) });
        let told = |own| stats(&history, Range::default(), NOW, own).held.map(|held| held.count);
        assert_eq!((told(None), told(held(9, 20_000)), told(held(9, 100))), (Some(7), Some(7), Some(9)));
        let series = stats(&history, Range::default(), NOW, None).series;
        assert_eq!(series.held.iter().flatten().collect::<Vec<_>>(), [&7]);
    }

    #[test]
    fn waits_for_one_lock_at_two_replicas_are_added_up() {
        let line = |waiting, waited_ms| {
            let mut seen = Contended { waits: 1, granted: 1, waited_ms, ..Contended::default() };
            seen.wait.add(Duration::from_millis(waited_ms));
            vec![Line { resource: "x".into(), waiting, seen }]
        };
        let mut history = History::default();
        told(&mut history, NOW - 70_000, &Pulse { lines: line(50, 50), ..pulse("a", 0, 0) });
        told(&mut history, NOW - 1000, &Pulse { lines: line(2, 100), ..pulse("a", 0, 0) });
        told(&mut history, NOW, &Pulse { lines: line(5, 900), ..pulse("b", 0, 0) });
        let all = contended(&history, NOW - 60_000);
        let (seen, longest) = &all["x"];
        assert_eq!((all.len(), seen.waits, seen.granted, seen.waited_ms, *longest), (1, 2, 2, 1000, 5));
        assert_eq!(seen.wait.count(), 2);
    }
}
