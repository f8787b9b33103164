//! Work is conserved: the first request of a queue doesn't wait for a lock that it could have.

use super::Violation;
use crate::history::{Event, History, Moment, SECOND};

/// How long that may last outside faults. A lease that ends is noticed by a timer of a replica, and a turn is over after a
/// second.
const IDLE: Moment = SECOND;
/// The same where a script must have seen it. Scripts that take no part in waiting, such as an extend, call nobody, and
/// leave it to the timer.
const MISSED: Moment = SECOND / 12;
/// How long after a fault grants may still wait.
const SETTLED: Moment = 4 * SECOND;

pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    for event in &history.events {
        let Event::Idle { resource, owner, missed, from, until } = event else { continue };
        if (if *missed { MISSED } else { IDLE }) < until - from
            && SETTLED < *from
            && !history.is_disturbed(*from, *until, SETTLED)
        {
            let (resource, owner) = (resource.clone(), owner.clone());
            found.push(Violation::Idle { resource, owner, from: *from, until: *until });
        }
    }
}
