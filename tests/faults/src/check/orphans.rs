//! Promise 4: a client that vanishes leaves no lock. The checker knows such a lock by the fence that a refused client
//! is told.

use std::collections::{HashMap, HashSet};

use super::Violation;
use crate::history::{Event, History, Moment, SECOND};

/// How long a lock that nobody was told of may stand: the second that Gorilla promises, and half a second because the
/// machine has other things to do.
pub const FREED: Moment = SECOND + SECOND / 2;

/// How long after a fault a replica may need to reach Redis again.
const RECOVERED: Moment = 3 * SECOND;

pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    let told: HashSet<_> =
        history.acquires().filter_map(|acquire| Some((&acquire.resource, acquire.grant.as_ref()?.fence))).collect();
    // For each lock that nobody was told of: from when to when it surely stood.
    let mut stood: HashMap<_, (Moment, Moment)> = HashMap::new();
    for acquire in history.acquires() {
        let (Some(fence), Some(answered)) = (acquire.held_by, acquire.answered) else { continue };
        if !told.contains(&(&acquire.resource, fence)) {
            let (first, last) = stood.entry((&acquire.resource, fence)).or_insert((answered, acquire.asked));
            (*first, *last) = (answered.min(*first), acquire.asked.max(*last));
        }
    }
    let faults: Vec<_> = history.faults().collect();
    for ((resource, fence), (first, last)) in stood {
        let seen = last.saturating_sub(first);
        let in_fault = |&(from, until): &(Moment, Moment)| from <= last && first <= until.saturating_add(RECOVERED);
        if seen > FREED && !faults.iter().any(in_fault) {
            found.push(Violation::Orphan { resource: resource.clone(), fence, seen });
        }
    }
    for event in &history.events {
        if let Event::Left { resource, fence, waiting } = event
            && (fence.is_some() || *waiting > 0)
        {
            found.push(Violation::LeftBehind { resource: resource.clone(), fence: *fence, waiting: *waiting });
        }
    }
}
