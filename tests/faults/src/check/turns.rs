//! First come, first served: of two requests in the queue of a lock, the earlier request is granted first, if neither
//! saw a fault, and if the later grant is in the way of the earlier request: one of them is exclusive, or there are too few
//! permits for both. A request that doesn't wait arrives at the moment of its grant, so it never came before a request that
//! waits then.

use std::collections::{BTreeMap, HashMap};

use super::{Tenure, Violation, tenure::by_resource};
use crate::history::{Acquire, Event, History, Moment, Part, SECOND};

/// How long after a fault waiters may still be getting back to their places.
const SETTLED: Moment = 4 * SECOND;

pub(super) fn check(tenures: &[Tenure], history: &History, found: &mut Vec<Violation>) {
    let arrivals: HashMap<_, _> = history
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Place { resource, owner, arrived, .. } => Some(((resource, owner), *arrived)),
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

    let mut queues: HashMap<_, Vec<Served>> = HashMap::new();
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
            let (fence, part, owner) = (grant.fence, grant.part, acquire.owner.as_str());
            let in_set = acquire.in_set;
            queues.entry(&acquire.resource).or_default().push(Served { came, fence, part, owner, answered, in_set });
        }
    }
    let holders: HashMap<_, _> = by_resource(tenures).into_iter().map(|grants| (&grants[0].resource, grants)).collect();
    for (resource, mut queue) in queues {
        queue.sort_unstable_by_key(|served| (served.came, served.fence));
        let mut earlier: BTreeMap<u64, &Served> = BTreeMap::new();
        for later in &queue {
            let passed = earlier.range(later.fence + 1..).map(|(_, earlier)| *earlier);
            let holders = holders.get(resource).map(Vec::as_slice).unwrap_or_default();
            let overtaken =
                passed.rev().find(|earlier| earlier.came < later.came && later.is_in_the_way(earlier, holders));
            if let Some(earlier) = overtaken {
                found.push(Violation::OutOfTurn {
                    resource: resource.clone(),
                    first: (earlier.owner.into(), earlier.fence, earlier.came),
                    second: (later.owner.into(), later.fence, later.came),
                });
            }
            // A set that starts over loses the places that it had.
            if !later.in_set {
                earlier.insert(later.fence, later);
            }
        }
    }
}

/// A request that was granted, and when it came.
struct Served<'a> {
    /// In microseconds since 1970, by Redis's clock.
    came: u64,
    fence: u64,
    part: Option<Part>,
    owner: &'a str,
    answered: Moment,
    in_set: bool,
}

impl Served<'_> {
    /// Whether this grant kept an earlier request waiting.
    fn is_in_the_way(&self, earlier: &Served, holders: &[&Tenure]) -> bool {
        let (Some(own), Some(other)) = (self.part, earlier.part) else { return true };
        let Some(limit) = other.limit else { return false };
        // Those that had their grants before this grant, and surely held them when it was made.
        let held = holders.iter().filter(|one| one.fence < self.fence && self.answered < one.ends());
        let held: u64 = held.filter_map(|one| one.part).map(|part| part.permits).sum();
        limit < held + own.permits + other.permits
    }
}
