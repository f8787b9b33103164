//! Promise 4: a client that vanishes leaves nothing: no lock, no permits, no key that stays for ever. The checker knows a lock
//! that nobody was told of by its fence, which refused clients are told, and which an observer of Redis sees.

use std::collections::{HashMap, HashSet};

use super::Violation;
use crate::history::{End, Event, History, Moment, SECOND};

/// How long a lock that nobody was told of may stand: the second that Gorilla promises, and half a second because the
/// machine has other things to do.
pub const FREED: Moment = SECOND + SECOND / 2;

/// How long after a fault a replica may need to reach Redis again.
pub(super) const RECOVERED: Moment = 3 * SECOND;

pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    let acquired = history.acquires().filter_map(|acquire| Some((&acquire.resource, acquire.grant.as_ref()?.fence)));
    let converted = history.uses().filter_map(|used| match used.end {
        End::Done(grant) => Some((&used.resource, grant.fence)),
        _ => None,
    });
    let told: HashSet<_> = acquired.chain(converted).collect();
    // When each set was over for its client: until then the parts that it has are not orphans.
    let mut over: HashMap<_, Moment> = HashMap::new();
    for set in history.sets() {
        let ended = set.answered.or(set.gave_up).unwrap_or(Moment::MAX);
        let last = over.entry(set.owner.as_str()).or_default();
        *last = ended.max(*last);
    }
    let sets = history.events.iter().filter_map(|event| match event {
        Event::Stood { resource, fence, owner, .. } => Some(((resource, *fence), *over.get(owner.as_str())?)),
        _ => None,
    });
    let sets: HashMap<_, _> = sets.collect();
    // For each lock that nobody was told of: from when to when it surely stood.
    let mut stood: HashMap<_, (Moment, Moment)> = HashMap::new();
    let mut seen = |resource, fence, from, until| {
        if !told.contains(&(resource, fence)) {
            let (first, last) = stood.entry((resource, fence)).or_insert((from, until));
            (*first, *last) = (from.min(*first), until.max(*last));
        }
    };
    for acquire in history.acquires() {
        if let (Some(fence), Some(answered)) = (acquire.held_by, acquire.answered) {
            seen(&acquire.resource, fence, answered, acquire.asked);
        }
    }
    for event in &history.events {
        if let Event::Stood { resource, fence, from, until, .. } = event {
            seen(resource, *fence, *from, *until);
        }
    }
    for ((resource, fence), (first, last)) in stood {
        let first = sets.get(&(resource, fence)).map_or(first, |over| first.max(*over));
        let seen = last.saturating_sub(first);
        if seen > FREED && !history.is_disturbed(first, last, RECOVERED) {
            found.push(Violation::Orphan { resource: resource.clone(), fence, seen });
        }
    }
    for event in &history.events {
        match event {
            Event::Left { resource, fence, waiting } if fence.is_some() || *waiting > 0 => {
                found.push(Violation::LeftBehind { resource: resource.clone(), fence: *fence, waiting: *waiting });
            }
            Event::Lasting { key } => found.push(Violation::Lasting { key: key.clone() }),
            Event::Counts { resource, at, used, held, reserved, called }
                if (used, reserved) != (held, called) && !history.is_disturbed(*at, *at, RECOVERED) =>
            {
                let (resource, held, called) = (resource.clone(), (*used, *held), (*reserved, *called));
                found.push(Violation::Miscounted { resource, at: *at, held, called });
            }
            _ => {}
        }
    }
}
