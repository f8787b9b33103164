//! Puts together what the clients saw of each grant.

use std::collections::HashMap;

use crate::history::{End, Grant, History, Kind, Moment, Part};

/// A grant from its beginning to its end, as its client saw it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tenure {
    /// The resource.
    pub resource: String,
    /// Its fence.
    pub fence: u64,
    /// What it has of a shared lock; `None` if it has the lock alone.
    pub part: Option<Part>,
    /// When it was asked for, for the first time if the request was sent again.
    pub asked: Moment,
    /// When its answer had come; the first answer if there were several.
    pub answered: Moment,
    /// Until when the lease surely stands: when it was last asked for, plus its length.
    pub valid_until: Moment,
    /// Since when the lease surely doesn't stand any more, if that is known: nobody knows what became of an extend that was
    /// not answered.
    pub lapsed: Option<Moment>,
    /// When its end was asked for, if it was: by a release, a break, or a conversion.
    pub end_asked: Option<Moment>,
    /// The tokens that the client was given, in the order of the answers.
    pub tokens: Vec<u64>,
    /// The fence of the grant that it was converted from.
    pub converted_from: Option<u64>,
}

impl Tenure {
    /// Until when its client may believe that it holds the lock.
    pub fn ends(&self) -> Moment {
        self.end_asked.map_or(self.valid_until, |end| end.min(self.valid_until))
    }

    /// The floor that came with the fence.
    pub fn floor(&self) -> u64 {
        self.part.map_or(self.fence, |part| part.floor)
    }

    /// Whether the two can't hold the lock together, whatever the limit.
    pub fn excludes(&self, other: &Self) -> bool {
        self.part.is_none() || other.part.is_none()
    }

    fn end_at(&mut self, asked: Moment) {
        self.end_asked = Some(self.end_asked.map_or(asked, |end| end.min(asked)));
    }

    fn extend(&mut self, asked: Moment, answered: Moment, ttl: Moment) {
        self.valid_until = self.valid_until.max(asked + ttl);
        self.lapsed = self.lapsed.map(|lapsed| lapsed.max(answered + ttl));
    }
}

/// An answer that gave a client a grant.
struct Given<'a> {
    resource: &'a String,
    key: Option<&'a String>,
    asked: Moment,
    /// How long the request waited before the lease began.
    waited: Moment,
    answered: Moment,
    grant: Grant,
    converted_from: Option<u64>,
}

/// The answers that gave grants, to acquires and conversions.
fn given(history: &History) -> impl Iterator<Item = Given<'_>> {
    let acquired = history.acquires().filter_map(|acquire| {
        let (resource, key) = (&acquire.resource, acquire.key.as_ref());
        let (asked, answered, grant) = (acquire.asked, acquire.answered?, acquire.grant?);
        let waited = acquire.waited;
        Some(Given { resource, key, asked, waited, answered, grant, converted_from: None })
    });
    let converted = history.uses().filter_map(|used| match (used.kind, used.end, used.answered) {
        (Kind::Convert, End::Done(grant), Some(answered)) => {
            let (resource, key, asked) = (&used.resource, used.key.as_ref(), used.asked);
            let converted_from = Some(used.fence);
            Some(Given { resource, key, asked, waited: 0, answered, grant, converted_from })
        }
        _ => None,
    });
    acquired.chain(converted)
}

/// All grants that a client was told of, in no particular order.
pub fn tenures(history: &History) -> Vec<Tenure> {
    let mut first_asked: HashMap<_, Moment> = HashMap::new();
    let acquired = history.acquires().map(|acquire| (&acquire.resource, acquire.key.as_ref(), acquire.asked));
    let used = history.uses().map(|used| (&used.resource, used.key.as_ref(), used.asked));
    for (resource, key, asked) in acquired.chain(used) {
        if let Some(key) = key {
            let first = first_asked.entry((resource, key)).or_insert(asked);
            *first = asked.min(*first);
        }
    }
    // One grant may be answered several times, to retries. Another check finds two grants with one fence, so here the
    // token tells them apart.
    let mut tenures: HashMap<_, Tenure> = HashMap::new();
    for Given { resource, key, asked, waited, answered, grant, converted_from } in given(history) {
        let first = key.and_then(|key| first_asked.get(&(resource, key)).copied()).unwrap_or(asked);
        let tenure = tenures.entry((resource, grant.fence, grant.token)).or_insert_with(|| Tenure {
            resource: resource.clone(),
            fence: grant.fence,
            part: grant.part,
            asked: first,
            answered,
            lapsed: Some(0),
            tokens: vec![grant.token],
            converted_from,
            ..Tenure::default()
        });
        tenure.asked = tenure.asked.min(first);
        tenure.answered = tenure.answered.min(answered);
        tenure.extend(asked + waited, answered, grant.ttl);
    }
    let mut by_fence: HashMap<_, Vec<Tenure>> = HashMap::new();
    for tenure in tenures.into_values() {
        by_fence.entry((tenure.resource.clone(), tenure.fence)).or_default().push(tenure);
    }
    let mut uses: Vec<_> = history.uses().collect();
    uses.sort_by_key(|used| used.asked);
    for used in uses {
        let Some(tenures) = by_fence.get_mut(&(used.resource.clone(), used.fence)) else { continue };
        let by_token = tenures.iter_mut().find(|tenure| tenure.tokens.contains(&used.token));
        let Some(tenure) = by_token else { continue };
        match (used.kind, used.end) {
            (Kind::Extend, End::Done(grant)) => {
                if !tenure.tokens.contains(&grant.token) {
                    tenure.tokens.push(grant.token);
                }
                tenure.extend(used.asked, used.answered.unwrap_or(used.asked), grant.ttl);
            }
            (Kind::Extend, End::Unknown) => tenure.lapsed = None,
            (Kind::Convert, End::Refused | End::Declined | End::NotExecuted) | (Kind::Extend, _) => {}
            // A release or a conversion that may arrive ends the grant as far as its client is concerned, whatever the
            // answer.
            (Kind::Release | Kind::Convert, _) => tenure.end_at(used.asked),
        }
    }
    for broken in history.breaks() {
        let tenures = by_fence.get_mut(&(broken.resource.clone(), broken.fence));
        tenures.into_iter().flatten().for_each(|tenure| tenure.end_at(broken.asked));
    }
    by_fence.into_values().flatten().collect()
}

/// The grants of each resource.
pub(super) fn by_resource(tenures: &[Tenure]) -> Vec<Vec<&Tenure>> {
    let mut resources: HashMap<_, Vec<_>> = HashMap::new();
    for tenure in tenures {
        resources.entry(&tenure.resource).or_default().push(tenure);
    }
    resources.into_values().collect()
}

/// Shows each grant together with the grants that were answered before it, and that their clients believed in when it was
/// answered.
pub(super) fn beside_others<'a>(mut grants: Vec<&'a Tenure>, mut show: impl FnMut(&'a Tenure, &[&'a Tenure])) {
    // A client that got the answer after the end of the lease never held the lock.
    grants.retain(|tenure| tenure.answered < tenure.ends());
    grants.sort_by_key(|tenure| tenure.answered);
    let mut believed: Vec<&Tenure> = Vec::new();
    for tenure in grants {
        believed.retain(|earlier| tenure.answered < earlier.ends());
        show(tenure, &believed);
        believed.push(tenure);
    }
}
