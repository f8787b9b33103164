//! Promise 2: fences are unique, and a grant that was answered before another grant was asked for has the smaller
//! fence.

use std::collections::HashSet;

use super::{Tenure, Violation, tenure::by_resource};

pub(super) fn check(tenures: &[Tenure], found: &mut Vec<Violation>) {
    for grants in by_resource(tenures) {
        let (mut by_asked, mut by_answered) = (grants.clone(), grants.clone());
        by_asked.sort_by_key(|tenure| tenure.asked);
        by_answered.sort_by_key(|tenure| tenure.answered);
        let mut before = by_answered.into_iter().peekable();
        let mut highest: Option<&Tenure> = None;
        for tenure in by_asked {
            while let Some(earlier) = before.next_if(|earlier| earlier.answered < tenure.asked) {
                if highest.is_none_or(|highest| highest.fence < earlier.fence) {
                    highest = Some(earlier);
                }
            }
            if let Some(highest) = highest.filter(|highest| highest.fence >= tenure.fence) {
                found.push(Violation::FenceNotRising {
                    resource: tenure.resource.clone(),
                    first: (highest.fence, highest.answered),
                    second: (tenure.fence, tenure.asked),
                });
            }
        }
        let mut seen = HashSet::new();
        let twice = grants.iter().filter(|tenure| !seen.insert(tenure.fence));
        found.extend(
            twice.map(|tenure| Violation::FenceTwice { resource: tenure.resource.clone(), fence: tenure.fence }),
        );
    }
}
