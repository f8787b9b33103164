//! Decides from the records of all clients whether a lock service kept its word.

use std::collections::HashSet;

/// A moment on the clock that all clients share, in nanoseconds.
pub type Moment = u64;

/// One grant, as its client saw it.
#[derive(Clone, Debug)]
pub struct Grant {
    /// When the acquire was sent.
    pub asked: Moment,
    /// When its answer had come.
    pub answered: Moment,
    pub fence: u64,
    /// That of the grant and those of its extends.
    pub tokens: Vec<String>,
    /// When the lease surely still stood: the last request that renewed it was sent, plus the lease.
    pub valid_until: Moment,
    /// When the release was sent, if it was.
    pub release_asked: Option<Moment>,
}

impl Grant {
    /// Until when nobody else may hold the lock.
    fn ends(&self) -> Moment {
        self.release_asked.map_or(self.valid_until, |released| released.min(self.valid_until))
    }
}

/// A broken promise, with the fences of the grants that show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The second was answered while the first was held.
    TwoHolders(u64, u64),
    /// The first was answered before the second was asked for, and has no smaller fence.
    FenceNotRising(u64, u64),
    /// Two grants share it.
    FenceTwice(u64),
    /// The grant has a token that was given before.
    TokenTwice(u64),
}

/// All broken promises among the grants of one resource, at most one of each kind a grant. O(n log n).
pub fn check(grants: &[Grant]) -> Vec<Violation> {
    let mut found = Vec::new();
    two_holders(grants, &mut found);
    fences(grants, &mut found);
    let mut tokens = HashSet::new();
    let twice = grants.iter().filter(|grant| !grant.tokens.iter().all(|token| tokens.insert(token)));
    found.extend(twice.map(|grant| Violation::TokenTwice(grant.fence)));
    found
}

fn two_holders(grants: &[Grant], found: &mut Vec<Violation>) {
    // A grant whose answer came after its lease had ended was never held.
    let mut held: Vec<_> = grants.iter().filter(|grant| grant.answered < grant.ends()).collect();
    held.sort_by_key(|grant| grant.answered);
    let mut latest: Option<&Grant> = None;
    for grant in held {
        if let Some(holder) = latest.filter(|holder| grant.answered < holder.ends()) {
            found.push(Violation::TwoHolders(holder.fence, grant.fence));
        }
        if latest.is_none_or(|holder| holder.ends() < grant.ends()) {
            latest = Some(grant);
        }
    }
}

fn fences(grants: &[Grant], found: &mut Vec<Violation>) {
    let (mut by_asked, mut by_answered): (Vec<_>, Vec<_>) = (grants.iter().collect(), grants.iter().collect());
    by_asked.sort_by_key(|grant| grant.asked);
    by_answered.sort_by_key(|grant| grant.answered);
    let mut before = by_answered.into_iter().peekable();
    let mut highest = None;
    for grant in by_asked {
        while let Some(earlier) = before.next_if(|earlier| earlier.answered < grant.asked) {
            highest = highest.max(Some(earlier.fence));
        }
        if let Some(highest) = highest.filter(|highest| *highest >= grant.fence) {
            found.push(Violation::FenceNotRising(highest, grant.fence));
        }
    }
    let mut seen = HashSet::new();
    found.extend(
        grants.iter().filter(|grant| !seen.insert(grant.fence)).map(|grant| Violation::FenceTwice(grant.fence)),
    );
}

#[cfg(test)]
mod tests {
    use super::{
        Violation::{FenceNotRising, FenceTwice, TokenTwice, TwoHolders},
        *,
    };

    /// A grant with a long lease, whose fence is its name.
    fn grant(fence: u64, asked: Moment, answered: Moment, release_asked: Moment) -> Grant {
        let tokens = vec![format!("{fence} {asked}")];
        Grant { asked, answered, fence, tokens, valid_until: 1000, release_asked: Some(release_asked) }
    }

    #[test]
    fn grants_one_after_the_other_are_fine() {
        assert_eq!(check(&[]), []);
        assert_eq!(check(&[grant(2, 20, 22, 29), grant(1, 0, 5, 10), grant(3, 30, 31, 40)]), []);
    }

    #[test]
    fn an_acquire_may_be_asked_while_another_holds_and_answered_after() {
        assert_eq!(check(&[grant(1, 0, 5, 10), grant(2, 1, 11, 20)]), []);
        // The release may overtake its answer: what counts is when it was sent.
        assert_eq!(check(&[grant(1, 0, 5, 10), grant(2, 1, 10, 20)]), []);
    }

    #[test]
    fn a_grant_while_another_is_held_is_found() {
        assert_eq!(check(&[grant(1, 0, 5, 10), grant(2, 1, 9, 20)]), [TwoHolders(1, 2)]);
    }

    #[test]
    fn a_long_grant_is_remembered_behind_a_short_one() {
        let history = [grant(1, 0, 1, 100), grant(2, 0, 2, 3), grant(3, 0, 50, 60)];
        assert_eq!(check(&history), [TwoHolders(1, 2), TwoHolders(1, 3)]);
    }

    #[test]
    fn a_lease_that_ended_makes_room_without_a_release() {
        let lapsed = Grant { valid_until: 8, release_asked: None, ..grant(1, 0, 5, 0) };
        assert_eq!(check(&[lapsed.clone(), grant(2, 6, 8, 20)]), []);
        assert_eq!(check(&[lapsed.clone(), grant(2, 6, 7, 20)]), [TwoHolders(1, 2)]);
        // A release after the end of the lease does not lengthen it.
        assert_eq!(check(&[Grant { release_asked: Some(15), ..lapsed }, grant(2, 6, 8, 20)]), []);
    }

    #[test]
    fn an_answer_later_than_its_own_lease_holds_nothing() {
        let stale = Grant { valid_until: 4, release_asked: None, ..grant(1, 0, 5, 0) };
        assert_eq!(check(&[stale, grant(2, 3, 5, 20)]), []);
    }

    #[test]
    fn a_fence_that_falls_or_stays_is_found() {
        assert_eq!(check(&[grant(2, 0, 5, 10), grant(1, 11, 12, 20)]), [FenceNotRising(2, 1)]);
        assert_eq!(check(&[grant(7, 0, 5, 10), grant(7, 11, 12, 20)]), [FenceNotRising(7, 7), FenceTwice(7)]);
        // The highest counts, not the latest.
        assert_eq!(
            check(&[grant(9, 0, 1, 2), grant(3, 3, 4, 5), grant(6, 6, 7, 8)]),
            [FenceNotRising(9, 3), FenceNotRising(9, 6)]
        );
    }

    #[test]
    fn fences_of_requests_that_were_under_way_together_may_come_in_any_order() {
        let late = Grant { valid_until: 3, ..grant(1, 4, 20, 30) };
        assert_eq!(check(&[grant(2, 0, 5, 10), late]), []);
    }

    #[test]
    fn a_token_given_twice_is_found() {
        let mut history = [grant(1, 0, 5, 10), grant(2, 11, 12, 20)];
        history[1].tokens.push(history[0].tokens[0].clone());
        assert_eq!(check(&history), [TokenTwice(2)]);
        let extended_to_itself = Grant { tokens: vec!["t".into(), "t".into()], ..grant(3, 21, 22, 30) };
        assert_eq!(check(&[extended_to_itself]), [TokenTwice(3)]);
    }
}
