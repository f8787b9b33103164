//! Promise 1, seen by the holder: a grant stands until it is released, converted or broken, or until its lease ends. Until
//! then its token is not refused.

use std::collections::HashMap;

use super::{Tenure, Violation, facts::first};
use crate::history::{End, History, Kind, Moment, SECOND};

/// Redis counts leases in whole milliseconds.
const MARGIN: Moment = SECOND / 200;

pub(super) fn check(tenures: &[Tenure], history: &History, found: &mut Vec<Violation>) {
    // By resource and token: when requests with it were sent that may have replaced it, with their keys.
    let mut replaced: HashMap<_, Vec<_>> = HashMap::new();
    for used in history.uses() {
        if let End::Done(_) | End::Unknown = used.end {
            replaced.entry((&used.resource, used.token)).or_default().push((used.asked, &used.key));
        }
    }
    let by_token: HashMap<_, _> = tenures
        .iter()
        .flat_map(|tenure| tenure.tokens.iter().map(move |token| ((&tenure.resource, *token), tenure)))
        .collect();
    // A break that is sent while a release is on its way may come before it.
    let mut broken = HashMap::new();
    history.breaks().for_each(|one| first(&mut broken, (&one.resource, one.fence), one.asked));
    for used in history.uses().filter(|used| used.end == End::Refused) {
        let (Some(tenure), Some(answered)) = (by_token.get(&(&used.resource, used.token)), used.answered) else {
            continue;
        };
        let own = (used.kind != Kind::Extend).then_some(used.asked);
        // Its own release ends a grant, and may be refused if the release has come before.
        let ended = tenure.end_asked.filter(|end| own.is_none_or(|own| *end < own));
        let broken = broken.get(&(&tenure.resource, tenure.fence)).copied();
        let ends = [ended, broken].into_iter().flatten().fold(tenure.valid_until, Moment::min);
        let is_replaced = replaced.get(&(&used.resource, used.token)).is_some_and(|requests| {
            requests.iter().any(|(asked, key)| *asked < answered && (key.is_none() || *key != &used.key))
        });
        if !is_replaced && tenure.answered <= used.asked && answered + MARGIN < ends {
            found.push(Violation::EndedEarly {
                resource: used.resource.clone(),
                fence: tenure.fence,
                until: tenure.valid_until,
                refused: used.asked,
            });
        }
    }
}
