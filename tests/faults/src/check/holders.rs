//! Promise 1: grants that clients believe in at the same time are compatible. An exclusive grant stands alone, and grants of
//! a shared lock have no more permits than its limit together. And a conversion lets no exclusive grant in between.

use super::{
    Tenure, Violation,
    tenure::{beside_others, by_resource},
};

pub(super) fn check(tenures: &[Tenure], found: &mut Vec<Violation>) {
    for grants in by_resource(tenures) {
        conversions(&grants, found);
        beside_others(grants, |tenure, believed| {
            let others = believed.iter().filter(|other| other.excludes(tenure));
            if let Some(holder) = others.max_by_key(|other| other.ends()) {
                found.push(Violation::TwoHolders {
                    resource: tenure.resource.clone(),
                    first: (holder.fence, holder.ends()),
                    second: (tenure.fence, tenure.answered),
                });
                return;
            }
            // Of all these the grant with the largest fence was made last, and all others stood then. So its limit counts.
            let all = || believed.iter().copied().chain([tenure]);
            let parts = all().filter_map(|one| one.part);
            let permits = parts.map(|part| part.permits).sum();
            let latest = all().max_by_key(|one| one.fence).unwrap_or(tenure);
            if let Some(limit) = latest.part.and_then(|part| part.limit).filter(|limit| *limit < permits) {
                found.push(Violation::TooManyPermits {
                    resource: tenure.resource.clone(),
                    latest: (latest.fence, tenure.answered),
                    permits,
                    limit,
                });
            }
        });
    }
}

fn conversions(grants: &[&Tenure], found: &mut Vec<Violation>) {
    let mut alone: Vec<_> = grants.iter().filter(|tenure| tenure.part.is_none()).map(|tenure| tenure.fence).collect();
    alone.sort_unstable();
    for tenure in grants {
        let Some(from) = tenure.converted_from else { continue };
        let next = alone.partition_point(|fence| *fence <= from);
        if let Some(&between) = alone.get(next).filter(|fence| **fence < tenure.fence) {
            found.push(Violation::GrantedBetween {
                resource: tenure.resource.clone(),
                from,
                to: tenure.fence,
                between,
            });
        }
    }
}
