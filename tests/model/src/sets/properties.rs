//! What must hold of sets, and what must be possible.

use stateright::Property;

use super::{
    bounds::{NAMES, Sets},
    state::{Set, SetsState, Step, Wrong},
};

/// Promise 1, of sets.
pub const ONE_HOLDER: &str = "1 at most one client believes to hold a lock of a set";
/// Promise 4, of sets.
pub const NOTHING_LEFT: &str = "4 no lock is held for a set that is over";
/// Promise 8.
pub const TOGETHER: &str = "8 the locks of a set that is granted were held all at once";
/// Promise 8, of refusals.
pub const NONE_KEPT: &str = "8 a set that is refused holds none of its locks";
/// Promise 8, of waiting.
pub const NO_CIRCLE: &str = "8 sets never wait for each other in a circle";
/// Promise 8, of replicas that are killed.
pub const SHORT: &str = "8 what a replica that was killed leaves ends within a hold, if it wasn't committed";

/// The properties that a search checks.
pub fn of(sets: &Sets) -> Vec<Property<Sets>> {
    let mut all = vec![
        Property::always(ONE_HOLDER, |_, state: &SetsState| {
            let believes = |resource| state.sets.iter().filter(move |set| set.believes(resource, state.tick)).count();
            (0..NAMES.len()).all(|resource| believes(resource) <= 1)
        }),
        Property::always(NOTHING_LEFT, nothing_left),
        Property::always(TOGETHER, |_, state: &SetsState| !state.wrongs.contains(&Wrong::NotTogether)),
        Property::always(NONE_KEPT, |_, state: &SetsState| !state.wrongs.contains(&Wrong::KeptAfterRefusal)),
        Property::always(NO_CIRCLE, no_circle),
        Property::always(SHORT, ends_soon),
        Property::sometimes("a set has all its locks", |_, state: &SetsState| {
            state.sets.iter().any(|set| matches!(set.step, Step::Granted { .. }) && set.parts.len() > 1)
        }),
        Property::sometimes("a set waits and holds a lock", |_, state: &SetsState| {
            state.sets.iter().any(|set| set.waits_for().is_some() && set.parts.iter().any(|part| part.held))
        }),
        Property::sometimes("a set that has waited is granted", |_, state: &SetsState| {
            state.sets.iter().any(|set| matches!(set.step, Step::Granted { .. }) && set.waited)
        }),
    ];
    if sets.breaks > 0 {
        all.push(Property::sometimes("a set that has started over is granted", |_, state: &SetsState| {
            state.sets.iter().any(|set| matches!(set.step, Step::Granted { .. }) && set.rounds > 1)
        }));
    }
    if sets.crashes > 0 {
        all.push(Property::sometimes(
            "a set has a lock after the replica of another",
            |sets: &Sets, state: &SetsState| {
                let killed = |set: &Set| set.step == Step::Killed && set.parts.iter().any(|part| part.held);
                let has_all = |set: &Set| matches!(set.step, Step::Granted { .. }) && set.parts.len() > 1;
                state.tick > sets.hold && state.sets.iter().any(killed) && state.sets.iter().any(has_all)
            },
        ));
    }
    all
}

/// A lock belongs to a set that takes it, gives it back, or has it; or its replica was killed, or its lease is over for the
/// client and not for Redis.
fn nothing_left(sets: &Sets, state: &SetsState) -> bool {
    state.resources.iter().flat_map(|redis| &redis.lock).all(|lock| {
        let set = &state.sets[sets.set_of(lock.id)];
        let has = |id| set.parts.iter().any(|part| part.id == id);
        match set.step {
            Step::Killed => true,
            Step::Idle | Step::Over => false,
            _ => has(lock.id),
        }
    })
}

/// Each set that waits, waits for a lock whose holder doesn't wait for a lock of this set, directly or by way of others. With
/// two resources a circle is one of two sets.
fn no_circle(_: &Sets, state: &SetsState) -> bool {
    let waits_on = |one: &Set, other: &Set| {
        one.waits_for().is_some_and(|resource| {
            other.parts.iter().any(|part| part.resource == resource && part.held && state.holds(part))
        })
    };
    let sets = &state.sets;
    !sets
        .iter()
        .enumerate()
        .any(|(index, one)| sets[..index].iter().any(|two| waits_on(one, two) && waits_on(two, one)))
}

fn ends_soon(sets: &Sets, state: &SetsState) -> bool {
    state.sets.iter().filter(|set| set.step == Step::Killed).flat_map(|set| &set.parts).all(|part| {
        let lock = state.resources[part.resource].lock.as_ref().filter(|lock| lock.id == part.id);
        let longest = if part.done { sets.lease } else { sets.hold };
        lock.is_none_or(|lock| lock.expires <= state.tick + longest)
    })
}
