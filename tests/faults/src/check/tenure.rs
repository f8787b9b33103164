//! Puts together what the clients saw of each grant.

use std::collections::HashMap;

use crate::history::{End, History, Kind, Moment};

/// A grant from its acquire to its end, as its client saw it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tenure {
    /// The resource.
    pub resource: String,
    /// Its fence.
    pub fence: u64,
    /// When the acquire was sent, for the first time if it was sent again.
    pub asked: Moment,
    /// When its answer had come; the first answer if there were several.
    pub answered: Moment,
    /// Until when the lease surely stands: when it was last asked for, plus its length.
    pub valid_until: Moment,
    /// When a release was sent, if one was.
    pub release_asked: Option<Moment>,
    /// The tokens that the client was given, in the order of the answers.
    pub tokens: Vec<u64>,
}

impl Tenure {
    /// Until when nobody else may hold the lock.
    pub fn ends(&self) -> Moment {
        self.release_asked.map_or(self.valid_until, |released| released.min(self.valid_until))
    }
}

/// All grants that a client was told of, in no particular order.
pub fn tenures(history: &History) -> Vec<Tenure> {
    let mut first_asked: HashMap<_, Moment> = HashMap::new();
    for acquire in history.acquires() {
        if let Some(key) = &acquire.key {
            let asked = first_asked.entry((&acquire.resource, key)).or_insert(acquire.asked);
            *asked = acquire.asked.min(*asked);
        }
    }
    // One grant may be answered several times, to retries. Another check finds two grants with one fence, so here the
    // token tells them apart.
    let mut tenures: HashMap<_, Tenure> = HashMap::new();
    for acquire in history.acquires() {
        let (Some(grant), Some(answered)) = (&acquire.grant, acquire.answered) else { continue };
        let key = acquire.key.as_ref().and_then(|key| first_asked.get(&(&acquire.resource, key)));
        let tenure = tenures.entry((&acquire.resource, grant.fence, grant.token)).or_insert_with(|| Tenure {
            resource: acquire.resource.clone(),
            fence: grant.fence,
            asked: acquire.asked,
            answered,
            tokens: vec![grant.token],
            ..Tenure::default()
        });
        tenure.asked = tenure.asked.min(key.copied().unwrap_or(acquire.asked));
        tenure.answered = tenure.answered.min(answered);
        tenure.valid_until = tenure.valid_until.max(acquire.asked + grant.ttl);
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
            (Kind::Extend, End::Done { token, ttl }) => {
                if !tenure.tokens.contains(&token) {
                    tenure.tokens.push(token);
                }
                tenure.valid_until = tenure.valid_until.max(used.asked + ttl);
            }
            // A release that may arrive ends the lock as far as its client is concerned, whatever the answer.
            (Kind::Release, _) => {
                tenure.release_asked = Some(tenure.release_asked.map_or(used.asked, |asked| asked.min(used.asked)));
            }
            _ => {}
        }
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
