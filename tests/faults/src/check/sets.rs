//! Promise 8: a set is granted whole or not at all. Its answer has each lock that it asked for, and all of them are held
//! then. When a refusal is answered, none of them is held, and a set whose replica has gone leaves none for longer than a
//! hold. A set that waits holds only locks that come before the one that it waits for, so sets never wait for each other in a
//! circle; and each wait has its end.

use std::collections::HashMap;

use super::{FREED, Tenure, Violation, orphans::RECOVERED};
use crate::history::{AcquireSet, Event, History, Moment, SECOND};

/// How long a part of a set that is not complete is held without being renewed.
const HOLD: Moment = 5 * SECOND;
/// How long after the end of its wait a set is answered, on a machine that has other things to do.
const LATE: Moment = 3 * SECOND;

/// All requests for one set: the first and its retries.
struct Whole<'a> {
    requests: Vec<&'a AcquireSet>,
}

impl Whole<'_> {
    fn is_granted(&self) -> bool {
        self.requests.iter().any(|set| set.told.is_some())
    }

    fn asked(&self) -> Moment {
        self.requests.iter().map(|set| set.asked).min().unwrap_or_default()
    }

    /// When the last request was over for its client.
    fn over(&self) -> Moment {
        let over = self.requests.iter().map(|set| set.answered.or(set.gave_up).unwrap_or(Moment::MAX));
        over.max().unwrap_or_default()
    }

    /// When it was refused, if that is known and there is no copy of it that may hold what was refused to this one.
    fn refused(&self) -> Option<Moment> {
        match self.requests[..] {
            [set] if set.known && set.told.is_none() => set.answered,
            _ => None,
        }
    }
}

pub(super) fn check(tenures: &[Tenure], history: &History, found: &mut Vec<Violation>) {
    let mut sets: HashMap<&str, Whole> = HashMap::new();
    for set in history.sets() {
        sets.entry(&set.owner).or_insert_with(|| Whole { requests: Vec::new() }).requests.push(set);
        is_whole(set, found);
        has_an_end(set, history, found);
    }
    all_held(tenures, history, found);
    nothing_stays(&sets, history, found);
    waits_ascend(&sets, history, found);
}

/// A grant has what was asked for, in that order, and all of it for as long as it says.
fn is_whole(set: &AcquireSet, found: &mut Vec<Violation>) {
    let Some(told) = &set.told else { return };
    let asked: Vec<_> = set.parts.iter().map(|part| part.resource.clone()).collect();
    let least = set.parts.iter().filter_map(|part| Some(part.grant?.ttl)).min().unwrap_or_default();
    if told.resources != asked {
        found.push(Violation::SetNotWhole { owner: set.owner.clone(), asked, told: told.resources.clone() });
    } else if least < told.ttl {
        found.push(Violation::SetTooLong { owner: set.owner.clone(), told: told.ttl, least });
    }
}

/// A set is answered when its wait is over at the latest, if nothing fails meanwhile.
fn has_an_end(set: &AcquireSet, history: &History, found: &mut Vec<Violation>) {
    let over = set.answered.or(set.gave_up).unwrap_or(Moment::MAX);
    let is_late = set.answered.is_none() || set.asked.saturating_add(set.wait + LATE) < over;
    if is_late && !set.hung_up && !history.is_disturbed(set.asked, over, RECOVERED) {
        found.push(Violation::SetUnanswered { owner: set.owner.clone(), asked: set.asked, wait: set.wait, over });
    }
}

/// When a set is answered, nobody has broken one of its locks before its leases began, and nobody has been granted one since:
/// all of them were held at one moment.
fn all_held(tenures: &[Tenure], history: &History, found: &mut Vec<Violation>) {
    let mut broken: HashMap<_, Moment> = HashMap::new();
    for one in history.breaks() {
        let first = broken.entry((&one.resource, one.fence)).or_insert(Moment::MAX);
        *first = one.done.map_or(*first, |done| done.min(*first));
    }
    for part in history.sets().flat_map(|set| &set.parts) {
        let (Some(grant), Some(answered)) = (part.grant, part.answered) else { continue };
        let ends = part.asked + part.waited + grant.ttl;
        if let Some(&done) = broken.get(&(&part.resource, grant.fence)) {
            // Behind the commit it may be broken like any other.
            if done < part.asked + part.waited {
                let (resource, owner, fence) = (part.resource.clone(), part.owner.clone(), grant.fence);
                found.push(Violation::PartBroken { resource, owner, fence, done, answered });
            }
            continue;
        }
        if ends <= answered {
            continue;
        }
        let passes = |other: &&Tenure| {
            let excludes = grant.part.is_none() || other.part.is_none();
            other.resource == part.resource && other.fence > grant.fence && excludes && other.answered < answered
        };
        // Its holder may have used the lock by the first answer, and an answer to a copy comes later.
        let is_copy = |other: &&Tenure| other.fence == grant.fence && other.answered < answered;
        if tenures.iter().filter(|other| other.resource == part.resource).any(|other| is_copy(&other)) {
            continue;
        }
        if let Some(other) = tenures.iter().find(passes) {
            let (resource, owner) = (part.resource.clone(), part.owner.clone());
            found.push(Violation::PartLost { resource, owner, fences: (grant.fence, other.fence), answered });
        }
    }
}

/// A set that was refused holds nothing any more, and a set that nobody was told of holds nothing for longer than a hold.
fn nothing_stays(sets: &HashMap<&str, Whole>, history: &History, found: &mut Vec<Violation>) {
    for event in &history.events {
        let Event::Stood { resource, fence, owner, until, .. } = event else { continue };
        let Some(set) = sets.get(owner.as_str()).filter(|set| !set.is_granted()) else { continue };
        let since = match set.refused() {
            Some(refused) => refused,
            None => {
                // What a fault stops goes on behind it.
                let over = set.over().saturating_add(HOLD + FREED);
                let faults = history.faults().filter(|(from, until)| *from < over && set.asked() < *until);
                faults.map(|(_, until)| until.saturating_add(HOLD + FREED)).fold(over, Moment::max)
            }
        };
        if since < *until {
            let (resource, owner, fence) = (resource.clone(), owner.clone(), *fence);
            let is_refused = set.refused().is_some();
            found.push(Violation::PartLeft { resource, owner, fence, since, until: *until, is_refused });
        }
    }
}

/// A set that waits for a lock holds none that comes after it. Sets that start over, because a part was lost, aren't looked
/// at: they may have waited for the same lock before.
fn waits_ascend(sets: &HashMap<&str, Whole>, history: &History, found: &mut Vec<Violation>) {
    let mut held: HashMap<&str, Vec<(&str, Moment, Moment)>> = HashMap::new();
    for event in &history.events {
        if let Event::Stood { resource, owner, from, until, .. } = event {
            held.entry(owner).or_default().push((resource, *from, *until));
        }
    }
    for event in &history.events {
        let Event::Place { resource, owner, from, until, .. } = event else { continue };
        let Some(set) = sets.get(owner.as_str()).filter(|set| set.requests.len() == 1) else { continue };
        // The observer may not have seen a part that was broken soon.
        let starts_over = history.breaks().any(|one| {
            let is_of_it = set.requests[0].parts.iter().any(|part| part.resource == one.resource);
            is_of_it && one.asked < *until && set.asked() < one.done.unwrap_or(Moment::MAX)
        });
        if starts_over || history.is_disturbed(set.asked(), *until, RECOVERED) {
            continue;
        }
        let held = held.get(owner.as_str()).map(Vec::as_slice).unwrap_or_default();
        let later = held
            .iter()
            .find(|(held, since, last)| *held >= resource.as_str() && (*since).max(*from) < (*last).min(*until));
        if let Some((held, since, _)) = later {
            let (waits, owner) = (resource.clone(), owner.clone());
            let at = (*since).max(*from);
            found.push(Violation::WaitsBack { owner, holds: (*held).into(), waits, at });
        }
    }
}
