//! The stream of events tells what happened: each grant that a client was told of, in the order of the fences, and its one
//! end, as it came; nothing that did not happen; and nothing twice. Where it can't, it says that events are missing.

use std::collections::{HashMap, HashSet};

use super::{
    Tenure, Violation,
    facts::Facts,
    hearing::{Piece, compare, pieces},
    mistold::{Mistold, MistoldTo},
};
use crate::{
    heard::Happened,
    history::{History, Moment},
};

pub(super) fn check(tenures: &[Tenure], history: &History, found: &mut Vec<Violation>) {
    let pieces = pieces(history, found);
    compare(&pieces, found);
    let facts = Facts::new(tenures, history);
    for pieces in &pieces {
        // Up to when a listener was surely told everything of a lock.
        let mut reached = HashMap::new();
        let mut gaps: Vec<Gap> = Vec::new();
        let mut granted = HashSet::new();
        for piece in pieces {
            gaps.push((reached.clone(), piece.began));
            let mut told = Told::default();
            for (at, event) in &piece.events {
                let before = found.len();
                told.take(event, &mut |what| mistold(piece, event, what, found));
                // What follows from something that is wrong is not counted too.
                if found.len() == before {
                    facts.judge(*at, event, told.has_granted(event), &mut |what| mistold(piece, event, what, found));
                }
            }
            let until = reach(piece, &facts);
            ends(piece, &told, &facts, &until, found);
            granted.extend(told.granted());
            reached.extend(until);
        }
        if let Some(piece) = pieces.last() {
            gaps.push((reached, Moment::MAX));
            unheard(piece, &granted, &gaps, &facts, found);
        }
    }
}

/// A time in which events may be missing: by lock from when, and until when.
type Gap<'a> = (HashMap<&'a str, Moment>, Moment);

fn mistold(piece: &Piece, event: &Happened, what: Mistold, found: &mut Vec<Violation>) {
    let (resource, fence) = (event.resource.clone(), event.fence.unwrap_or_default());
    found.push(Violation::Mistold(MistoldTo { listener: piece.listener, resource, fence, what }));
}

/// Until when a piece surely has all events of each lock: a grant of it was asked for then.
fn reach<'a>(piece: &Piece<'a>, facts: &Facts) -> HashMap<&'a str, Moment> {
    let mut reached: HashMap<_, Moment> = HashMap::new();
    for (_, event) in piece.events.iter().filter(|(_, event)| event.kind == "granted") {
        if let Some((asked, _)) = facts.grants.get(&(event.resource.as_str(), event.fence.unwrap_or_default())) {
            let last = reached.entry(event.resource.as_str()).or_default();
            *last = *asked.max(last);
        }
    }
    reached
}

/// Each grant of a piece that clients have ended has its end in it, and a grant that its client was refused was undone.
fn ends(piece: &Piece, told: &Told, facts: &Facts, until: &HashMap<&str, Moment>, found: &mut Vec<Violation>) {
    for (resource, lock) in &told.locks {
        let until = until.get(resource).copied().unwrap_or_default();
        for (fence, owner) in &lock.granted {
            let what = match lock.ended.get(fence) {
                None if facts.has_ended(resource, *fence, until) => Mistold::NoEnd,
                Some(&("released" | "expired")) if facts.was_refused(resource, *fence, owner) => {
                    Mistold::Phantom { kind: "granted".into(), owner: (*owner).into() }
                }
                _ => continue,
            };
            let (listener, resource) = (piece.listener, resource.to_string());
            found.push(Violation::Mistold(MistoldTo { listener, resource, fence: *fence, what }));
        }
    }
}

/// Each grant that a client was told of, the listener was told of too, unless it was in a gap.
fn unheard(piece: &Piece, granted: &HashSet<(&str, u64)>, gaps: &[Gap], facts: &Facts, found: &mut Vec<Violation>) {
    for (&(resource, fence), &(asked, answered)) in &facts.grants {
        // Where there was a visit, listeners were told of all that came before.
        let gaps = &gaps[..gaps.len() - usize::from(facts.visited.contains(resource))];
        let from = |reached: &HashMap<_, Moment>| reached.get(resource).copied().unwrap_or_default();
        let is_in_gap = gaps.iter().any(|(reached, until)| from(reached) <= answered && asked <= *until);
        if !granted.contains(&(resource, fence)) && !is_in_gap {
            let (listener, resource, what) = (piece.listener, resource.to_string(), Mistold::Unheard { answered });
            found.push(Violation::Mistold(MistoldTo { listener, resource, fence, what }));
        }
    }
}

/// What was told in a piece.
#[derive(Default)]
struct Told<'a> {
    locks: HashMap<&'a str, Lock<'a>>,
}

/// What was told of a lock.
#[derive(Default)]
struct Lock<'a> {
    /// The last fence.
    last: u64,
    /// What is open, and whether it is shared.
    open: HashMap<u64, bool>,
    /// How grants ended.
    ended: HashMap<u64, &'a str>,
    /// Who was granted which fence.
    granted: HashMap<u64, &'a str>,
}

impl<'a> Told<'a> {
    fn granted(&self) -> impl Iterator<Item = (&'a str, u64)> {
        self.locks.iter().flat_map(|(resource, lock)| lock.granted.keys().map(move |fence| (*resource, *fence)))
    }

    fn has_granted(&self, event: &Happened) -> bool {
        let lock = self.locks.get(event.resource.as_str());
        lock.zip(event.fence).is_some_and(|(lock, fence)| lock.granted.contains_key(&fence))
    }

    /// Takes an event, and says what can't be so behind those before it.
    fn take(&mut self, event: &'a Happened, wrong: &mut impl FnMut(Mistold)) {
        let Some(fence) = event.fence else { return };
        let lock = self.locks.entry(&event.resource).or_default();
        let mut disordered = |after: &str, of| {
            wrong(Mistold::Disordered { kind: event.kind.clone(), after: (after.into(), of) });
        };
        let ended = lock.ended.get(&fence).copied();
        if event.kind == "granted" {
            let beside = lock.open.iter().find(|(_, shared)| !event.shared || !**shared).map(|(open, _)| *open);
            if fence <= lock.last {
                disordered("granted", lock.last);
            } else if let Some(ended) = ended {
                disordered(ended, fence);
            } else if let Some(open) = beside {
                disordered("granted without an end", open);
            }
            if beside.is_some() {
                // It is said once.
                lock.open.clear();
            }
            lock.last = fence.max(lock.last);
            lock.open.insert(fence, event.shared);
            lock.granted.insert(fence, &event.owner);
        } else if event.is_end() {
            if let Some(ended) = ended {
                wrong(Mistold::TwoEnds { ends: [ended.into(), event.kind.clone()] });
            }
            lock.open.remove(&fence);
            lock.ended.entry(fence).or_insert(&event.kind);
        } else if let Some(ended) = ended {
            disordered(ended, fence);
        }
    }
}
