//! What must hold, after the promises in `docs/internals/guarantees.md`, and what must be possible.

use stateright::Property;

use crate::{
    Protocol,
    bounds::{Ack, CONVERTED, Loss},
    redis::{Group, Id, Redis, Share},
    state::{Client, How, Kind, State, Wrong},
};

/// Promise 1.
pub const EXCLUSION: &str = "1 at most one client believes to hold";
/// Promise 1, of shared locks too.
pub const COMPATIBLE: &str = "1 what clients believe to hold is one lock alone, or shares within the limit";
/// Promise 2, of shared locks.
pub const FLOOR: &str = "2 a floor is above the last grant that had the lock alone, and no holder's fence is below it";
/// Promise 4, of shared locks.
pub const COUNTED: &str = "4 the permits in use are those of the holders, and those kept are those of called waiters";
/// Waiting, of shared locks.
pub const WORK: &str = "7 when nothing is under way and no lease has ended, the first waiter doesn't fit or was called";
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
            let lock = state.nodes.iter().flat_map(|node| &node.lock).map(|lock| lock.expires);
            let group = state.nodes.iter().flat_map(|node| &node.group).map(|group| group.last().expires);
            lock.chain(group).all(|end| end <= state.tick + protocol.bounds.lease)
        }),
        Property::sometimes("a client believes to hold", |_, state: &State| {
            state.clients.iter().any(|client| state.believes(client))
        }),
    ];
    let bounds = &protocol.bounds;
    if !bounds.modes.is_empty() {
        all.extend([
            Property::always(COMPATIBLE, are_compatible),
            Property::always(FLOOR, |_, state: &State| {
                let floor = |group: &Group| {
                    group.floor > state.notes.alone && group.members.values().all(|one| one.fence >= group.floor)
                };
                state.nodes[0].group.as_ref().is_none_or(floor)
            }),
            Property::always(COUNTED, |_, state: &State| is_counted(&state.nodes[0])),
            Property::always(WORK, is_called),
            Property::sometimes("two clients share the lock", |_, state: &State| {
                state.clients.iter().filter(|client| state.believes(client)).count() > 1
            }),
        ]);
        if bounds.converts {
            all.push(Property::sometimes("a conversion is answered", |_, state: &State| {
                let mut grants = state.clients.iter().flat_map(|client| &client.grant);
                grants.any(|grant| grant.id >= CONVERTED)
            }));
        }
    } else if protocol.excludes {
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

/// A holder that asks to share the lock counts as sharing it from when it asks, and not from when it is answered.
fn are_compatible(protocol: &Protocol, state: &State) -> bool {
    let share_of = |(number, client): (u8, &Client)| {
        let asked = client.converted && protocol.bounds.mode(number).is_none();
        let share = client.grant.as_ref().and_then(|grant| grant.share);
        share.or(asked.then_some(Share { permits: 1, limit: None }))
    };
    let believed = (0..).zip(&state.clients).filter(|(_, client)| state.believes(client));
    let shares: Vec<_> = believed.map(share_of).collect();
    let used: u8 = shares.iter().flatten().map(|share| share.permits).sum();
    let within = |share: &Share| share.limit.is_none_or(|limit| used <= limit);
    shares.len() <= 1 || shares.iter().all(|share| share.as_ref().is_some_and(within))
}

fn is_counted(redis: &Redis) -> bool {
    let Some(group) = &redis.group else { return true };
    let used: u32 = group.members.values().map(|member| u32::from(member.permits)).sum();
    let called = redis.queue.iter().filter(|place| place.arrived <= group.bound);
    let reserved: u32 = called.filter_map(|place| place.share).map(|share| u32::from(share.permits)).sum();
    group.used == used && group.reserved == reserved
}

/// A replica that was killed may have left the first place. Leases that have ended are looked for by timers.
fn is_called(_: &Protocol, state: &State) -> bool {
    let redis = &state.nodes[0];
    let (Some(group), Some(first)) = (&redis.group, redis.queue.first()) else { return true };
    let fits = first.share.is_some_and(|share| {
        group.limit.is_none_or(|limit| group.used + group.reserved + u32::from(share.permits) <= u32::from(limit))
    });
    !state.is_settled() || !state.operations.is_empty() || state.notes.ended || !fits || first.arrived <= group.bound
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
    let redis = &state.nodes[0];
    let members = redis.group.iter().flat_map(|group| &group.members);
    let members = members.filter(|(_, member)| member.expires > state.tick).map(|(id, _)| *id);
    let mut holders = redis.lock.iter().map(|lock| lock.id).chain(members);
    !state.is_settled() || holders.all(|id| is_wanted(protocol, state, id))
}

fn is_wanted(protocol: &Protocol, state: &State, id: Id) -> bool {
    let client = protocol.bounds.client_of(id);
    // A waiter asks again, and a copy is answered with the same grant.
    let asks = state
        .attempts
        .iter()
        .any(|attempt| attempt.live && (attempt.id == id || protocol.bounds.keyed && attempt.client == client));
    // The answer to a conversion is on its way.
    let told = |kind: &Kind| matches!(kind, Kind::Converted { token, .. } if token.tenure == id);
    let asks = asks || state.operations.iter().any(|operation| told(&operation.kind));
    asks || state.notes.told.contains(&id) || state.notes.crashed.contains(&client)
}
