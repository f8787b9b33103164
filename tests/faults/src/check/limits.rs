//! One limit is in force: clients that hold a shared lock together were told the same limit, unless it was pinned or unpinned
//! meanwhile; and who asks after a limit was pinned is told that limit.

use super::{
    Tenure, Violation,
    tenure::{beside_others, by_resource},
};
use crate::history::{History, Moment, Pin};

pub(super) fn check(tenures: &[Tenure], history: &History, found: &mut Vec<Violation>) {
    for grants in by_resource(tenures) {
        let Some(resource) = grants.first().map(|tenure| &tenure.resource) else { continue };
        let pins: Vec<_> = history.pins().filter(|pin| pin.resource == *resource).collect();
        let changed = |from: Moment, until: Moment, but: Option<&Pin>| {
            let between = |pin: &&&Pin| pin.asked <= until && from <= pin.done.unwrap_or(Moment::MAX);
            pins.iter().filter(between).any(|pin| but != Some(*pin))
        };
        for tenure in &grants {
            let Some(part) = tenure.part else { continue };
            let before = pins.iter().filter(|pin| pin.done.is_some_and(|done| done < tenure.asked));
            let Some(pin) = before.max_by_key(|pin| pin.asked) else { continue };
            if pin.limit.is_some() && pin.limit != part.limit && !changed(pin.asked, tenure.answered, Some(pin)) {
                let (resource, limits) = (resource.clone(), (pin.limit, part.limit));
                found.push(Violation::OtherLimit { resource, fence: tenure.fence, limits });
            }
        }
        beside_others(grants.clone(), |tenure, believed| {
            let Some(part) = tenure.part else { return };
            let differs = |other: &&&Tenure| {
                other.part.is_some_and(|of_other| of_other.limit != part.limit)
                    && !changed(tenure.asked.min(other.asked), tenure.answered, None)
            };
            if let Some(other) = believed.iter().find(differs) {
                let limits = (other.part.and_then(|part| part.limit), part.limit);
                found.push(Violation::OtherLimit { resource: resource.clone(), fence: tenure.fence, limits });
            }
        });
    }
}
