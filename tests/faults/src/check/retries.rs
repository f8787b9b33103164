//! Promise 5: a request that is sent again with its Idempotency-Key is answered again, and acts once.

use std::collections::HashMap;

use super::Violation;
use crate::history::{End, History, Kind};

pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    let acquires = history.acquires().filter_map(|acquire| {
        let answer = acquire.grant.as_ref()?.fence;
        Some(("an acquire", &acquire.resource, acquire.key.as_ref()?, answer))
    });
    let extends = history.uses().filter_map(|used| match (used.kind, used.end) {
        (Kind::Extend, End::Done(grant)) => Some(("an extend", &used.resource, used.key.as_ref()?, grant.token)),
        (Kind::Convert, End::Done(grant)) => Some(("a conversion", &used.resource, used.key.as_ref()?, grant.fence)),
        _ => None,
    });
    let mut answers = HashMap::new();
    for (what, resource, key, answer) in acquires.chain(extends) {
        let first = *answers.entry((what, resource, key)).or_insert(answer);
        if first != answer {
            let (resource, key) = (resource.clone(), key.clone());
            found.push(Violation::ActedTwice { resource, what, key, answers: (first, answer) });
        }
    }
}
