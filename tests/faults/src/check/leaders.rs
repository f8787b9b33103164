//! Elections, as onlookers see them: terms rise in real time, over all replicas, and while a client surely leads, nobody
//! else is told.

use std::collections::HashMap;

use super::{Tenure, Violation};
use crate::history::{History, Look, Moment, SECOND};

/// Redis counts leases in whole milliseconds.
const MARGIN: Moment = SECOND / 200;

pub(super) fn check(tenures: &[Tenure], history: &History, found: &mut Vec<Violation>) {
    let mut elections: HashMap<_, (Vec<&Look>, Vec<&Tenure>)> = HashMap::new();
    for look in history.looks() {
        elections.entry(&look.resource).or_default().0.push(look);
    }
    for tenure in tenures {
        if let Some((_, tenures)) = elections.get_mut(&tenure.resource) {
            tenures.push(tenure);
        }
    }
    for (looks, tenures) in elections.into_values() {
        terms_rise(&looks, &tenures, found);
        leaders_are_seen(&looks, tenures, found);
    }
}

/// A look tells no term below one that somebody had been told before the look began: to lead, or to look.
fn terms_rise(looks: &[&Look], tenures: &[&Tenure], found: &mut Vec<Violation>) {
    let by_holders = tenures.iter().map(|tenure| (tenure.answered, tenure.fence));
    let by_looks = looks.iter().filter_map(|look| Some((look.answered, look.term?)));
    let mut told: Vec<_> = by_holders.chain(by_looks).collect();
    told.sort_unstable();
    // The largest term that was told until then.
    let mut largest = 0;
    for (_, term) in &mut told {
        largest = largest.max(*term);
        *term = largest;
    }
    for look in looks {
        let before = told.partition_point(|(answered, _)| *answered < look.began);
        let later = before.checked_sub(1).map_or(0, |last| told[last].1);
        if let Some(term) = look.term.filter(|term| *term < later) {
            found.push(Violation::TermsBack { resource: look.resource.clone(), term, later, at: look.began });
        }
    }
}

/// While a client surely leads, each look tells its term.
fn leaders_are_seen(looks: &[&Look], mut tenures: Vec<&Tenure>, found: &mut Vec<Violation>) {
    tenures.retain(|tenure| tenure.part.is_none() && tenure.answered < tenure.ends());
    tenures.sort_unstable_by_key(|tenure| tenure.answered);
    for look in looks {
        let before = tenures.partition_point(|tenure| tenure.answered <= look.began);
        let Some(leads) = before.checked_sub(1).map(|last| tenures[last]) else { continue };
        if look.answered + MARGIN < leads.ends() && look.term != Some(leads.fence) {
            let (resource, leader, told) = (look.resource.clone(), leads.fence, look.term);
            found.push(Violation::OtherLeader { resource, leader, told, at: look.began });
        }
    }
}
