//! Promise 3: a token that was released, converted, broken, superseded, or passed over by a later grant never acts, nor one
//! whose lease has ended. A token acts on its own grant only, and no token is given twice.

use std::collections::{HashMap, HashSet};

use super::{Tenure, Violation, tenure::by_resource};
use crate::history::{End, History, Kind, Moment, SECOND, Use};

/// Redis counts leases in whole milliseconds.
const MARGIN: Moment = SECOND / 100;

pub(super) fn check(tenures: &[Tenure], history: &History, found: &mut Vec<Violation>) {
    let mut given = HashSet::new();
    for tenure in tenures {
        if !tenure.tokens.iter().all(|token| given.insert(token)) {
            found.push(Violation::TokenTwice { resource: tenure.resource.clone(), fence: tenure.fence });
        }
    }
    let (passed, mut lapsed) = (passed(tenures), lapsed(tenures));
    // A clock that steps makes leases longer or shorter.
    if history.faults().any(|(_, until)| until == Moment::MAX) {
        lapsed.clear();
    }
    let mut broken = HashMap::new();
    for one in history.breaks() {
        if let Some(done) = one.done {
            let first = broken.entry((&one.resource, one.fence)).or_insert(done);
            *first = done.min(*first);
        }
    }
    let mut first_asked = HashMap::new();
    for used in history.uses().filter(|used| used.key.is_some()) {
        let asked: &mut Moment = first_asked.entry((&used.resource, &used.key)).or_insert(used.asked);
        *asked = used.asked.min(*asked);
    }
    let mut uses: Vec<_> = history.uses().collect();
    uses.sort_by_key(|used| used.answered);
    // By fence or token: the first use that ended it, and when that was answered.
    let (mut released, mut superseded) = (HashMap::new(), HashMap::new());
    for used in &uses {
        let (End::Done(grant), Some(answered)) = (used.end, used.answered) else { continue };
        match used.kind {
            Kind::Release | Kind::Convert => released.entry((&used.resource, used.fence)).or_insert((answered, *used)),
            // An extend may keep the token.
            Kind::Extend if grant.token == used.token => continue,
            Kind::Extend => superseded.entry((&used.resource, used.token)).or_insert((answered, *used)),
        };
    }
    for used in uses {
        let End::Done(grant) = used.end else { continue };
        if used.kind == Kind::Extend && grant.fence != used.fence {
            let (resource, fences) = (used.resource.clone(), (used.fence, grant.fence));
            found.push(Violation::OtherGrant { resource, fences });
        }
        let by_use = |end: Option<&(Moment, &Use)>, why| {
            // A request that is sent again with its key is answered again.
            let (answered, ended) = end.filter(|(_, ended)| ended.key.is_none() || ended.key != used.key)?;
            (*ended != used).then_some((*answered, why))
        };
        let dead = [
            by_use(released.get(&(&used.resource, used.fence)), "released or converted"),
            by_use(superseded.get(&(&used.resource, used.token)), "superseded"),
            broken.get(&(&used.resource, used.fence)).map(|&at| (at, "broken")),
            passed.get(&(used.resource.as_str(), used.fence)).map(|&at| (at, "passed over by a later grant")),
            lapsed.get(&(used.resource.as_str(), used.token)).map(|&at| (at, "past the end of its lease")),
        ];
        // A retry of what was done before the token died is answered as it was then.
        let first = first_asked.get(&(&used.resource, &used.key)).copied().unwrap_or(used.asked);
        let dead = dead.into_iter().flatten().filter(|(since, _)| *since < first).min();
        if let Some(dead) = dead {
            found.push(Violation::StaleToken {
                resource: used.resource.clone(),
                fence: used.fence,
                dead,
                used: used.asked,
            });
        }
    }
}

/// When the lease of each token's grant had ended by itself.
fn lapsed(tenures: &[Tenure]) -> HashMap<(&str, u64), Moment> {
    let all = tenures.iter().flat_map(|tenure| {
        let lapsed = tenure.lapsed.map(|lapsed| lapsed + MARGIN);
        tenure.tokens.iter().filter_map(move |token| Some(((tenure.resource.as_str(), *token), lapsed?)))
    });
    all.collect()
}

/// When each grant was passed over: the first answer to a grant with a larger fence, of which one can't hold the lock beside
/// it.
fn passed(tenures: &[Tenure]) -> HashMap<(&str, u64), Moment> {
    let mut passed = HashMap::new();
    for mut grants in by_resource(tenures) {
        grants.sort_by_key(|tenure| std::cmp::Reverse(tenure.fence));
        let (mut any, mut alone) = (Moment::MAX, Moment::MAX);
        for tenure in grants {
            let earliest = if tenure.part.is_some() { alone } else { any };
            if earliest < Moment::MAX {
                passed.insert((tenure.resource.as_str(), tenure.fence), earliest);
            }
            any = any.min(tenure.answered);
            if tenure.part.is_none() {
                alone = alone.min(tenure.answered);
            }
        }
    }
    passed
}
