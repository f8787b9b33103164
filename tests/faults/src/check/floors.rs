//! Promise 2 for groups: a floor is larger than the fence of each exclusive grant that came before the group, and the same
//! for all who hold the lock together. So a register that keeps the largest floor refuses the fence of nobody who holds the
//! lock, and who holds the lock sees one value all the time.

use std::collections::HashMap;

use super::{
    Tenure, Violation,
    tenure::{beside_others, by_resource},
};
use crate::history::History;

pub(super) fn check(tenures: &[Tenure], history: &History, found: &mut Vec<Violation>) {
    for grants in by_resource(tenures) {
        too_low(&grants, found);
        beside_others(grants, |tenure, believed| {
            let differs = |other: &&&Tenure| !tenure.excludes(other) && tenure.floor() != other.floor();
            if let Some(other) = believed.iter().find(differs) {
                found.push(Violation::FloorsDiffer {
                    resource: tenure.resource.clone(),
                    first: (other.fence, other.floor()),
                    second: (tenure.fence, tenure.floor()),
                });
            }
        });
    }
    refused(tenures, history, found);
    torn(history, found);
}

/// Each floor is above the fences of all exclusive grants that were answered before the floor was asked for.
fn too_low(grants: &[&Tenure], found: &mut Vec<Violation>) {
    let mut shared: Vec<_> = grants.iter().filter(|tenure| tenure.part.is_some()).collect();
    shared.sort_by_key(|tenure| tenure.asked);
    let mut alone: Vec<_> = grants.iter().filter(|tenure| tenure.part.is_none()).collect();
    alone.sort_by_key(|tenure| tenure.answered);
    let (mut alone, mut highest) = (alone.into_iter().peekable(), 0);
    for tenure in shared {
        while let Some(earlier) = alone.next_if(|earlier| earlier.answered < tenure.asked) {
            highest = highest.max(earlier.fence);
        }
        if tenure.floor() <= highest || tenure.fence < tenure.floor() {
            let (resource, grant) = (tenure.resource.clone(), (tenure.fence, tenure.floor()));
            found.push(Violation::FloorOff { resource, grant, before: highest });
        }
    }
}

/// No register that compares fences refuses a client that holds the lock.
fn refused(tenures: &[Tenure], history: &History, found: &mut Vec<Violation>) {
    let by_fence: HashMap<_, _> = tenures.iter().map(|tenure| ((&tenure.resource, tenure.fence), tenure)).collect();
    let updates = history.updates().filter(|update| update.fenced && !update.accepted);
    let reads = history.reads().filter(|read| read.fenced && read.value.is_none());
    let refused = updates.map(|update| (&update.resource, update.fence, update.at));
    for (resource, fence, at) in refused.chain(reads.map(|read| (&read.resource, read.fence, read.at))) {
        let Some(tenure) = by_fence.get(&(resource, fence)) else { continue };
        if tenure.answered <= at && at < tenure.ends() {
            found.push(Violation::HolderRefused { resource: resource.clone(), fence, at });
        }
    }
}

/// No client reads two values under one fence: nobody else writes while the fence is good.
fn torn(history: &History, found: &mut Vec<Violation>) {
    let mut seen = HashMap::new();
    for read in history.reads().filter(|read| read.fenced) {
        let Some(value) = read.value else { continue };
        let first = *seen.entry((&read.resource, read.fence)).or_insert(value);
        if first != value {
            let (resource, fence) = (read.resource.clone(), read.fence);
            found.push(Violation::TornRead { resource, fence, values: (first, value) });
        }
    }
}
