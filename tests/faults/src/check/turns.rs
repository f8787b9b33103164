//! First come, first served: of two requests in the queue of a lock, the earlier request is granted first, if neither
//! saw a fault. A request that doesn't wait arrives at the moment of its grant, so it never came before a request that
//! waits then.

use std::collections::HashMap;

use super::Violation;
use crate::history::{Acquire, Event, History, Moment, SECOND};

/// How long after a fault waiters may still be getting back to their places.
const SETTLED: Moment = 4 * SECOND;

pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    let arrivals: HashMap<_, _> = history
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Place { resource, owner, arrived } => Some(((resource, owner), *arrived)),
            _ => None,
        })
        .collect();
    // An acquire that was sent again may have been away between its pieces, and passed over.
    let mut sent: HashMap<_, u32> = HashMap::new();
    history.acquires().for_each(|acquire| *sent.entry((&acquire.resource, &acquire.owner)).or_default() += 1);
    let faults: Vec<_> = history.faults().collect();
    let undisturbed = |acquire: &Acquire, answered: Moment| {
        faults.iter().all(|(from, until)| answered < *from || until.saturating_add(SETTLED) < acquire.asked)
    };

    let mut queues: HashMap<_, Vec<(u64, u64, &str)>> = HashMap::new();
    for acquire in history.acquires() {
        let (Some(grant), Some(answered)) = (&acquire.grant, acquire.answered) else { continue };
        let came = match acquire.waits {
            // A fence is the time of the grant, in microseconds by Redis's clock.
            false => Some(grant.fence),
            // A request whose place was never seen may have had a place for a moment.
            true => arrivals.get(&(&acquire.resource, &acquire.owner)).copied(),
        };
        let once = sent.get(&(&acquire.resource, &acquire.owner)) == Some(&1);
        if let Some(came) = came.filter(|_| once && undisturbed(acquire, answered)) {
            queues.entry(&acquire.resource).or_default().push((came, grant.fence, &acquire.owner));
        }
    }
    for (resource, mut queue) in queues {
        queue.sort_unstable();
        let mut latest: Option<(u64, u64, &str)> = None;
        for &(came, fence, owner) in &queue {
            if let Some(earlier) = latest.filter(|earlier| earlier.1 > fence && earlier.0 < came) {
                found.push(Violation::OutOfTurn {
                    resource: resource.clone(),
                    first: (earlier.2.into(), earlier.1, earlier.0),
                    second: (owner.into(), fence, came),
                });
            }
            if latest.is_none_or(|earlier| earlier.1 < fence) {
                latest = Some((came, fence, owner));
            }
        }
    }
}
