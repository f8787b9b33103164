//! All that can happen next to sets.

use super::{
    bounds::{NAMES, Sets},
    state::{Set, SetsState, Step},
};
use crate::scripts::Arrived;

/// One step. Sets and parts are named by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetAction {
    /// A set asks for its next part, for the first time or again.
    Take(usize),
    /// The wait of a set is over: it asks for its part for the last time.
    GiveUp(usize),
    /// A set asks for its next part, and the reply is lost.
    LoseReply(usize),
    /// A set asks for its next part, and the call is late or lost.
    LoseCall(usize),
    /// The client of a set hangs up.
    HangUp(usize),
    /// A set renews the parts that it holds.
    Renew(usize),
    /// A set commits a part.
    Commit(usize, usize),
    /// A set gives a part back.
    GiveBack(usize, usize),
    /// A client releases a lock of its set.
    Release(usize, usize),
    /// The replica of a set is killed.
    Kill(usize),
    /// Redis executes a call that was late.
    ExecuteStray(usize),
    /// A call that was late is lost.
    LoseStray(usize),
    /// Somebody breaks a lock.
    Break(usize),
    /// A turn is over without a claim, and a replica moves the queue on.
    Wake(usize),
    /// Time goes on, and leases end.
    Tick,
}

impl Sets {
    /// Collects what can happen next, in an order that depends only on the state.
    pub fn possible(&self, state: &SetsState, actions: &mut Vec<SetAction>) {
        for (number, set) in state.sets.iter().enumerate() {
            self.of_set(state, number, set, actions);
        }
        for index in 0..state.strays.len() {
            actions.extend([SetAction::ExecuteStray(index), SetAction::LoseStray(index)]);
        }
        for (resource, redis) in state.resources.iter().enumerate().take(NAMES.len()) {
            if state.left.breaks > 0 && redis.lock.is_some() {
                actions.push(SetAction::Break(resource));
            }
            if redis.lock.is_none() && redis.turn.is_some_and(|turn| turn.since < state.tick) {
                actions.push(SetAction::Wake(resource));
            }
        }
        if state.tick < self.horizon {
            actions.push(SetAction::Tick);
        }
    }

    fn of_set(&self, state: &SetsState, number: usize, set: &Set, actions: &mut Vec<SetAction>) {
        let open = set.parts.iter().enumerate().filter(|(_, part)| !part.done).map(|(part, _)| part);
        match set.step {
            Step::Idle => actions.push(SetAction::Take(number)),
            Step::Taking => {
                self.of_taking(state, number, set, actions);
                if state.left.unknowns > 0 {
                    actions.push(SetAction::HangUp(number));
                }
            }
            Step::Committing { .. } => actions.extend(open.map(|part| SetAction::Commit(number, part))),
            Step::GivingBack(_) => actions.extend(open.map(|part| SetAction::GiveBack(number, part))),
            // A client that is late releases nothing, by the model of one lock.
            Step::Granted { until } if state.tick < until => {
                actions.extend(open.map(|part| SetAction::Release(number, part)));
            }
            Step::Granted { .. } | Step::Over | Step::Killed => {}
        }
        let is_at_work = matches!(set.step, Step::Taking | Step::Committing { .. } | Step::GivingBack(_));
        if is_at_work && state.left.crashes > 0 {
            actions.push(SetAction::Kill(number));
        }
    }

    fn of_taking(&self, state: &SetsState, number: usize, set: &Set, actions: &mut Vec<SetAction>) {
        // Otherwise a renewal would change nothing.
        let ages = |resource: usize| {
            let lock = state.resources[resource].lock.as_ref();
            lock.is_none_or(|lock| lock.expires < state.tick + self.hold)
        };
        if set.parts.iter().any(|part| part.held && (ages(part.resource) || !state.holds(part))) {
            actions.push(SetAction::Renew(number));
        }
        let Some(part) = set.next().map(|next| &set.parts[next]) else { return };
        let redis = &state.resources[part.resource];
        let has_place = redis.queue.iter().any(|place| place.id == part.id);
        if part.arrived == Arrived::Not || redis.is_free() || !has_place {
            actions.push(SetAction::Take(number));
            if state.left.unknowns > 0 {
                actions.extend([SetAction::LoseReply(number), SetAction::LoseCall(number)]);
            }
        }
        if part.arrived != Arrived::Not && state.left.give_ups > 0 {
            actions.push(SetAction::GiveUp(number));
        }
    }
}
