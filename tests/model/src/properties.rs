//! What must hold, after the promises in `docs/internals/guarantees.md`, and what must be possible.

use stateright::Property;

use crate::{
    Protocol,
    bounds::{Ack, Loss},
    state::{How, State, Wrong},
};

/// Promise 1.
pub const EXCLUSION: &str = "1 at most one client believes to hold";
/// Promise 2.
pub const FENCES: &str = "2 a fence is above all that were answered before it was asked for";
/// Promise 3, as far as it holds wherever data is lost.
pub const OWN_TENURE: &str = "3 a token acts on its own tenure only";
/// Promise 3.
pub const STALE: &str = "3 a stale token never acts";
/// Promise 4.
pub const ORPHANS: &str = "4 when nothing is under way, no lock is held for nobody";
/// Promise 4, for what is cancelled.
pub const CANCELLED: &str = "4 what was cancelled is never granted afterwards";
/// Promise 4, at worst.
pub const LEASE: &str = "4 a lock ends within its lease";
/// Promise 5.
pub const ONCE: &str = "5 what was answered is never granted again";
/// Waiting.
pub const ORDER: &str = "6 nobody overtakes a waiter that met no fault";

/// The properties that a search checks.
pub fn of(protocol: &Protocol) -> Vec<Property<Protocol>> {
    let mut all = vec![
        Property::always(FENCES, |_, state: &State| {
            state.clients.iter().all(|client| client.grant.as_ref().is_none_or(|grant| grant.fence > client.floor))
        }),
        Property::always(OWN_TENURE, |_, state: &State| never(state, Wrong::ForeignTokenActed)),
        Property::always(LEASE, |protocol: &Protocol, state: &State| {
            let ends = |node: &crate::redis::Redis| node.lock.as_ref().map_or(0, |lock| lock.expires);
            state.nodes.iter().all(|node| ends(node) <= state.tick + protocol.bounds.lease)
        }),
        Property::sometimes("a client believes to hold", |_, state: &State| {
            state.clients.iter().any(|client| state.believes(client))
        }),
    ];
    let bounds = &protocol.bounds;
    if protocol.excludes {
        all.push(Property::always(EXCLUSION, |_, state: &State| {
            state.clients.iter().filter(|client| state.believes(client)).count() <= 1
        }));
    }
    if bounds.loss == Loss::Never {
        all.extend([
            Property::always(STALE, |_, state: &State| never(state, Wrong::StaleTokenActed)),
            Property::always(CANCELLED, |_, state: &State| never(state, Wrong::GrantedAfterCancel)),
            Property::always(ONCE, |_, state: &State| never(state, Wrong::GrantedTwice)),
            Property::always(ORPHANS, no_orphan),
        ]);
        all.push(Property::sometimes("a second client holds after the first", |_, state: &State| {
            state.clients.iter().filter(|client| client.grant.is_some()).count() > 1
        }));
    } else if bounds.loss != Loss::SplitBrain && bounds.ack == Ack::Off {
        all.push(Property::sometimes("a client believes to hold what Redis lost", |_, state: &State| {
            let known = |id| state.nodes.iter().flat_map(|node| &node.lock).any(|lock| lock.id == id);
            let grants = state.clients.iter().filter(|client| state.believes(client)).flat_map(|client| &client.grant);
            grants.into_iter().any(|grant| !known(grant.id))
        }));
    }
    if bounds.waits {
        all.push(Property::always(ORDER, |_, state: &State| never(state, Wrong::Overtook)));
        all.push(Property::sometimes("a waiter is granted the lock", |_, state: &State| granted(state, How::Waited)));
    }
    if bounds.keyed && bounds.attempts > bounds.requests {
        all.push(Property::sometimes("a copy is answered again", |_, state: &State| granted(state, How::Replayed)));
    }
    all
}

fn never(state: &State, wrong: Wrong) -> bool {
    !state.notes.wrongs.contains(&wrong)
}

fn granted(state: &State, how: How) -> bool {
    state.clients.iter().flat_map(|client| &client.grant).any(|grant| grant.how == how)
}

/// When nothing is under way, the client of the lock was told of it or still asks, unless an attempt of the client was
/// at a replica that was killed.
fn no_orphan(protocol: &Protocol, state: &State) -> bool {
    let Some(lock) = &state.nodes[0].lock else { return true };
    let client = protocol.bounds.client_of(lock.id);
    // A waiter asks again, and a copy is answered with the same grant.
    let asks = state
        .attempts
        .iter()
        .any(|attempt| attempt.live && (attempt.id == lock.id || protocol.bounds.keyed && attempt.client == client));
    let known = state.notes.told.contains(&lock.id) || state.notes.crashed.contains(&client);
    !state.is_settled() || asks || known
}
