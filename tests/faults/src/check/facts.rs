//! What clients and the observer saw of the grants of which listeners are told.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use super::{Tenure, mistold::Mistold, orphans::RECOVERED};
use crate::{
    heard::{Happened, VISITOR},
    history::{Acquire, End, Event, History, Kind, Moment, SECOND},
};

/// Redis counts leases in whole milliseconds.
const MARGIN: Moment = SECOND / 100;
/// How long after its end that of a lease may be recorded: Gorilla says a second, and the machine has other things to do.
const LATE: Moment = 5 * SECOND;

/// A grant: the lock and the fence.
type Grant<'a> = (&'a str, u64);

/// What clients and the observer saw.
pub(super) struct Facts<'a> {
    /// When each grant that a client was told of was asked for, and when it was answered.
    pub(super) grants: HashMap<Grant<'a>, (Moment, Moment)>,
    /// The locks that were visited at the end.
    pub(super) visited: HashSet<&'a str>,
    history: &'a History,
    tenures: HashMap<Grant<'a>, &'a Tenure>,
    /// To whom a grant was answered.
    owners: HashMap<Grant<'a>, &'a str>,
    /// What each owner has asked for, by lock and owner.
    asked: HashMap<(&'a str, &'a str), Vec<&'a Acquire>>,
    /// When the first release or conversion of a grant was sent.
    released: HashMap<Grant<'a>, Moment>,
    /// When the first break of a grant was sent.
    broken: HashMap<Grant<'a>, Moment>,
    /// When a client was told first that a grant has ended, and how.
    ended: HashMap<Grant<'a>, (Moment, &'static str)>,
    /// When a grant was seen to stand last.
    stood: HashMap<Grant<'a>, Moment>,
    /// Locks that somebody may have converted.
    converted: HashSet<&'a str>,
}

impl<'a> Facts<'a> {
    /// What a history has of them.
    pub(super) fn new(tenures: &'a [Tenure], history: &'a History) -> Self {
        let grants = tenures.iter().map(|of| ((of.resource.as_str(), of.fence), (of.asked, of.answered)));
        let mut all = Self {
            grants: grants.collect(),
            visited: HashSet::new(),
            history,
            tenures: tenures.iter().map(|of| ((of.resource.as_str(), of.fence), of)).collect(),
            owners: HashMap::new(),
            asked: HashMap::new(),
            released: HashMap::new(),
            broken: HashMap::new(),
            ended: HashMap::new(),
            stood: HashMap::new(),
            converted: HashSet::new(),
        };
        for acquire in history.acquires() {
            all.asked.entry((&acquire.resource, &acquire.owner)).or_default().push(acquire);
            if let Some(grant) = acquire.grant {
                all.owners.insert((&acquire.resource, grant.fence), &acquire.owner);
            }
        }
        all.note_ends();
        for event in &history.events {
            match event {
                Event::Stood { resource, fence, until, .. } => {
                    let last = all.stood.entry((resource, *fence)).or_default();
                    *last = *until.max(last);
                }
                Event::Visit { resource, fence, asked, answered } => {
                    all.visited.insert(resource);
                    all.grants.insert((resource, *fence), (*asked, *answered));
                }
                _ => {}
            }
        }
        all
    }

    fn note_ends(&mut self) {
        for used in self.history.uses().filter(|used| used.kind != Kind::Extend) {
            let grant = (used.resource.as_str(), used.fence);
            first(&mut self.released, grant, used.asked);
            match (used.end, used.answered, used.kind) {
                (End::Done(_), Some(answered), Kind::Convert) => {
                    first(&mut self.ended, grant, (answered, "it was converted"));
                }
                (End::Done(_), Some(answered), _) => first(&mut self.ended, grant, (answered, "it was released")),
                (End::Unknown, _, Kind::Convert) => drop(self.converted.insert(&used.resource)),
                _ => {}
            }
        }
        for broken in self.history.breaks() {
            let grant = (broken.resource.as_str(), broken.fence);
            first(&mut self.broken, grant, broken.asked);
            if let Some(done) = broken.done {
                first(&mut self.ended, grant, (done, "it was broken"));
            }
        }
    }

    /// Whether a client had been told before this moment that a grant has ended.
    pub(super) fn has_ended(&self, resource: &str, fence: u64, before: Moment) -> bool {
        self.ended.get(&(resource, fence)).is_some_and(|(answered, _)| *answered < before)
    }

    /// Whether a grant was answered to nobody, though all that its owner has asked for was answered.
    pub(super) fn was_refused(&self, resource: &str, fence: u64, owner: &str) -> bool {
        let is_refused = |asked: &&Acquire| asked.known && asked.answered.is_some() && !asked.in_set;
        let asked = self.asked.get(&(resource, owner));
        !self.grants.contains_key(&(resource, fence))
            && !self.converted.contains(resource)
            && asked.is_some_and(|all| {
                let first = all.iter().map(|asked| asked.asked).min().unwrap_or_default();
                let last = all.iter().filter_map(|asked| asked.answered).max().unwrap_or_default();
                all.iter().all(is_refused) && !self.history.is_disturbed(first, last, RECOVERED)
            })
    }

    /// Compares an event that a listener was told at this moment with what was seen. `knows_grant` says whether it was told
    /// of the grant without a gap.
    pub(super) fn judge(&self, at: Moment, event: &Happened, knows_grant: bool, wrong: &mut impl FnMut(Mistold)) {
        if event.owner == VISITOR {
            return;
        }
        let (resource, told) = (event.resource.as_str(), event.kind.clone());
        let asked = self.asked.get(&(resource, event.owner.as_str()));
        let is_known = asked.is_some_and(|asked| asked.iter().any(|acquire| acquire.asked <= at));
        let grant = (resource, event.fence.unwrap_or_default());
        let is_others = self.owners.get(&grant).is_some_and(|owner| *owner != event.owner);
        if !is_known || is_others {
            return wrong(Mistold::Phantom { kind: told, owner: event.owner.clone() });
        }
        if !event.is_end() {
            return;
        }
        let is_calm = |from, until| !self.history.is_disturbed(from, until, RECOVERED);
        if let Some(until) = self.stood.get(&grant).filter(|until| at < **until && is_calm(at, **until)) {
            return wrong(Mistold::StoodOn { told, heard: at, until: *until });
        }
        let is_late = |late: &i64| Moment::try_from(*late).is_ok_and(|late| late * (SECOND / 1000) > LATE);
        if let Some(late) = event.late.filter(|late| is_late(late) && is_calm(at.saturating_sub(LATE), at)) {
            return wrong(Mistold::Late { late });
        }
        let Some(tenure) = self.tenures.get(&grant).filter(|tenure| is_calm(tenure.asked, at)) else { return };
        if told == "expired" && at + MARGIN < tenure.ends() {
            return wrong(Mistold::StoodOn { told, heard: at, until: tenure.ends() });
        }
        let was_sent = |sent: &HashMap<_, Moment>| sent.get(&grant).is_some_and(|asked| *asked <= at);
        let done = match told.as_str() {
            "released" if !was_sent(&self.released) => "nobody released it",
            "broken" if !was_sent(&self.broken) => "nobody broke it",
            "expired" | "undone" if knows_grant => match self.ended.get(&grant) {
                Some((_, how)) => how,
                None => return,
            },
            _ => return,
        };
        wrong(Mistold::OtherEnd { told, done });
    }
}

/// Keeps the earliest.
pub(super) fn first<K: Eq + Hash, V: Ord + Copy>(all: &mut HashMap<K, V>, key: K, value: V) {
    let known = all.entry(key).or_insert(value);
    *known = value.min(*known);
}
