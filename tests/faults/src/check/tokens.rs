//! Promise 3: a token that was released, superseded, or passed over by a later grant never acts, and no token is given
//! twice.

use std::collections::{HashMap, HashSet};

use super::{Tenure, Violation, tenure::by_resource};
use crate::history::{End, History, Kind, Moment, Use};

pub(super) fn check(tenures: &[Tenure], history: &History, found: &mut Vec<Violation>) {
    let mut given = HashSet::new();
    for tenure in tenures {
        if !tenure.tokens.iter().all(|token| given.insert(token)) {
            found.push(Violation::TokenTwice { resource: tenure.resource.clone(), fence: tenure.fence });
        }
    }
    let passed = passed(tenures);
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
        let (End::Done { .. }, Some(answered)) = (used.end, used.answered) else { continue };
        match used.kind {
            Kind::Release => released.entry((&used.resource, used.fence)).or_insert((answered, *used)),
            Kind::Extend => superseded.entry((&used.resource, used.token)).or_insert((answered, *used)),
        };
    }
    for used in uses {
        if !matches!(used.end, End::Done { .. }) {
            continue;
        }
        let by_use = |end: Option<&(Moment, &Use)>, why| {
            // A request that is sent again with its key is answered again.
            let (answered, ended) = end.filter(|(_, ended)| ended.key.is_none() || ended.key != used.key)?;
            (*ended != used).then_some((*answered, why))
        };
        let dead = [
            by_use(released.get(&(&used.resource, used.fence)), "released"),
            by_use(superseded.get(&(&used.resource, used.token)), "superseded"),
            passed.get(&(used.resource.as_str(), used.fence)).map(|&at| (at, "passed over by a later grant")),
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

/// When each grant was passed over: the first answer to a grant with a larger fence.
fn passed(tenures: &[Tenure]) -> HashMap<(&str, u64), Moment> {
    let mut passed = HashMap::new();
    for mut grants in by_resource(tenures) {
        grants.sort_by_key(|tenure| std::cmp::Reverse(tenure.fence));
        let mut earliest: Option<Moment> = None;
        for tenure in grants {
            if let Some(earliest) = earliest {
                passed.insert((tenure.resource.as_str(), tenure.fence), earliest);
            }
            earliest = Some(earliest.map_or(tenure.answered, |earliest| earliest.min(tenure.answered)));
        }
    }
    passed
}
