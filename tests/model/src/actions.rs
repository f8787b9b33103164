//! All that can happen next.

use crate::{
    Bounds,
    bounds::Loss,
    redis::Id,
    state::{Call, Client, Kind, Link, State},
};

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A client asks for the lock at a replica, or asks again.
    Ask {
        /// The client.
        client: u8,
        /// Where.
        replica: u8,
    },
    /// Redis executes a call of an attempt.
    Execute(Id),
    /// The reply reaches the replica, and, if the attempt is over, the client.
    Answer(Id),
    /// Nobody learns the outcome: the client hangs up, or the replica stops waiting for the reply.
    Forget(Id),
    /// The connection of a waiter's call breaks; its replica will ask again.
    Cut(Id),
    /// The replica of a waiter asks Redis again, perhaps for the last time.
    Claim {
        /// The client.
        id: Id,
        /// Whether the wait is over.
        last: bool,
    },
    /// Redis executes a call whose connection was given up.
    ExecuteStray(Id),
    /// A call whose connection was given up is lost.
    LoseStray(Id),
    /// Redis executes a cancellation.
    Cancel {
        /// Of which attempt.
        id: Id,
        /// Whether the replica gets the reply; otherwise it repeats the cancellation.
        confirmed: bool,
    },
    /// A turn is over without a claim, and a replica moves the queue on.
    Wake,
    /// A holder extends.
    Extend {
        /// The client.
        client: u8,
        /// Where.
        replica: u8,
    },
    /// A holder releases.
    Release {
        /// The client.
        client: u8,
        /// Where.
        replica: u8,
    },
    /// A holder converts its grant to the other mode.
    Convert {
        /// The client.
        client: u8,
        /// Where.
        replica: u8,
    },
    /// Redis executes an extend, a release or a conversion.
    Operate {
        /// Its number among those under way.
        index: usize,
        /// Whether a copy of it is still under way.
        again: bool,
    },
    /// The answer to an extend or a conversion arrives.
    Confirm(usize),
    /// Time goes on, and leases end.
    Tick,
    /// A replica of Gorilla is killed.
    Crash(u8),
    /// The second node stops following the first.
    Stop,
    /// The second node becomes a master.
    Promote,
    /// A replica of Gorilla finds the new master.
    Reconnect(u8),
    /// The first node comes back without its data.
    RestartEmpty,
}

impl Bounds {
    /// Collects what can happen next, in an order that depends only on the state.
    pub fn possible(&self, state: &State, actions: &mut Vec<Action>) {
        for (number, client) in (0..).zip(&state.clients) {
            self.of_client(state, number, client, actions);
        }
        self.of_network(state, actions);
        self.of_faults(state, actions);
        if state.tick < self.horizon {
            actions.push(Action::Tick);
        }
    }

    fn of_client(&self, state: &State, number: u8, client: &Client, actions: &mut Vec<Action>) {
        let replicas = (0..).zip(&state.replicas).filter_map(|(replica, node)| node.map(|_| replica));
        let asks = state.attempts.iter().any(|attempt| attempt.client == number && attempt.live);
        // Clients of a mode begin alike, so it is enough to let them begin in the order of their numbers.
        let earlier = (0..number).rev().find(|other| self.mode(*other) == self.mode(number));
        let is_next = earlier.is_none_or(|earlier| state.clients[usize::from(earlier)].attempts > 0);
        let over = client.grant.as_ref().is_none_or(|grant| grant.released || grant.until <= state.tick);
        let may_ask = is_next
            && !asks
            && client.attempts < self.attempts
            && (client.open || over && client.requests < self.requests);
        for replica in replicas {
            if may_ask {
                actions.push(Action::Ask { client: number, replica });
            }
            // A holder may also be late: when its lease is over, its token must do nothing.
            if let Some(grant) = client.grant.as_ref().filter(|grant| !grant.released) {
                if client.extends < self.extends && !grant.extending {
                    actions.push(Action::Extend { client: number, replica });
                }
                if self.converts && !client.converted && !grant.extending {
                    actions.push(Action::Convert { client: number, replica });
                }
                if self.releases {
                    actions.push(Action::Release { client: number, replica });
                }
            }
        }
    }

    fn of_network(&self, state: &State, actions: &mut Vec<Action>) {
        for attempt in &state.attempts {
            let id = attempt.id;
            match &attempt.call {
                Call::None if attempt.live => {
                    let redis = &state.nodes[state.replicas[usize::from(attempt.replica)].map_or(0, usize::from)];
                    // Otherwise the call would change nothing: a waiter is called when the lock is free or its place
                    // gone, when there is room for it in a group, and when a lease in a group has ended.
                    let place = redis.queue.iter().find(|place| place.id == id);
                    let in_group = redis.group.as_ref().zip(place).is_some_and(|(group, place)| {
                        place.arrived <= group.bound || group.members.values().any(|one| one.expires <= state.tick)
                    });
                    if redis.is_free() || place.is_none() || in_group {
                        actions.push(Action::Claim { id, last: false });
                    }
                    if state.left.give_ups > 0 {
                        actions.push(Action::Claim { id, last: true });
                    }
                }
                Call::None => {}
                Call::Sent(_) => actions.push(Action::Execute(id)),
                Call::Replied { .. } => actions.push(Action::Answer(id)),
                Call::Lost => actions.push(Action::Forget(id)),
            }
            if attempt.live && attempt.call != Call::Lost && state.left.unknowns > 0 {
                actions.push(Action::Forget(id));
            }
            if self.waits && state.left.cuts > 0 && matches!(attempt.call, Call::Sent(_) | Call::Replied { .. }) {
                actions.push(Action::Cut(id));
            }
            if !attempt.strays.is_empty() {
                actions.extend([Action::ExecuteStray(id), Action::LoseStray(id)]);
            }
            if attempt.owed {
                actions.push(Action::Cancel { id, confirmed: true });
                if state.left.repeats > 0 {
                    actions.push(Action::Cancel { id, confirmed: false });
                }
            }
        }
        for (index, operation) in state.operations.iter().enumerate() {
            if matches!(operation.kind, Kind::Extended { .. } | Kind::Converted { .. }) {
                actions.push(Action::Confirm(index));
                continue;
            }
            actions.push(Action::Operate { index, again: false });
            if state.left.repeats > 0 {
                actions.push(Action::Operate { index, again: true });
            }
        }
        let redis = &state.nodes[0];
        if self.waits && redis.lock.is_none() && redis.turn.is_some_and(|turn| turn.since < state.tick) {
            actions.push(Action::Wake);
        }
    }

    fn of_faults(&self, state: &State, actions: &mut Vec<Action>) {
        let living = state.replicas.iter().flatten().count();
        for (replica, node) in (0..).zip(&state.replicas) {
            if node.is_some() && living > 1 && state.left.crashes > 0 {
                actions.push(Action::Crash(replica));
            }
            if *node == Some(0) && state.link == Link::Promoted {
                actions.push(Action::Reconnect(replica));
            }
        }
        match self.loss {
            Loss::Never => {}
            Loss::RestartsEmpty if state.left.losses > 0 => actions.push(Action::RestartEmpty),
            Loss::RestartsEmpty => {}
            Loss::OldMasterDies | Loss::SplitBrain => match state.link {
                Link::Follows => actions.extend([Action::Stop, Action::Promote]),
                Link::Stopped => actions.push(Action::Promote),
                Link::Promoted => {}
            },
        }
    }
}
