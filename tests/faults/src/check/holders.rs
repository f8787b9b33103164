//! Promise 1: no two grants of a resource overlap.

use super::{Tenure, Violation, tenure::by_resource};

pub(super) fn check(tenures: &[Tenure], found: &mut Vec<Violation>) {
    for mut held in by_resource(tenures) {
        // A client that got the answer after the end of the lease never held the lock.
        held.retain(|tenure| tenure.answered < tenure.ends());
        held.sort_by_key(|tenure| tenure.answered);
        let mut latest: Option<&Tenure> = None;
        for tenure in held {
            if let Some(holder) = latest.filter(|holder| tenure.answered < holder.ends()) {
                found.push(Violation::TwoHolders {
                    resource: tenure.resource.clone(),
                    first: (holder.fence, holder.ends()),
                    second: (tenure.fence, tenure.answered),
                });
            }
            if latest.is_none_or(|holder| holder.ends() < tenure.ends()) {
                latest = Some(tenure);
            }
        }
    }
}
