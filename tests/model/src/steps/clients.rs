//! What clients do, and how they take answers.

use crate::{
    Bounds, Mistake,
    redis::{Id, Ms, Name, Token},
    scripts::Arrived,
    state::{Attempt, Call, Grant, How, Kind, Operation, Sent, State, Told},
};

impl Bounds {
    pub(super) fn ask(&self, state: &mut State, number: u8, replica: u8) {
        let (at, answered) = (state.tick, state.notes.answered);
        let client = &mut state.clients[usize::from(number)];
        if !client.open {
            client.requests += 1;
            client.open = true;
            client.grant = None;
            client.waits = None;
            client.floor = answered;
        }
        let id = number * self.attempts + client.attempts;
        client.attempts += 1;
        let request = client.requests;
        let name = match self.keyed {
            true => Name::Key(number * self.requests + request - 1),
            false => Name::Attempt(id),
        };
        let node = state.replicas[usize::from(replica)].unwrap_or(0);
        let arrived = Arrived::Not;
        let attempt = Attempt {
            id,
            client: number,
            request,
            replica,
            name,
            arrived,
            call: Call::Sent(Sent { at, node, wait: self.waits, arrived }),
            strays: Vec::new(),
            live: true,
            doubted: false,
            owed: false,
            cancelled: false,
        };
        state.attempts.push(attempt);
        state.attempts.sort_by_key(|attempt| attempt.id);
    }

    pub(super) fn answer(&self, state: &mut State, id: Id) {
        let attempt = state.attempt(id);
        let Call::Replied { at, told } = attempt.call else { return };
        attempt.call = Call::None;
        let number = attempt.client;
        let waited = attempt.arrived != Arrived::Not;
        match told {
            Told::Queued(arrived) => {
                attempt.arrived = Arrived::At(arrived);
                return;
            }
            Told::Superseded => return,
            _ => attempt.live = false,
        }
        let refused = !matches!(told, Told::Grant { .. });
        attempt.owed = refused && attempt.doubted && self.mistake != Some(Mistake::WaiterForgetsDoubt);
        let now = state.tick;
        let client = &mut state.clients[usize::from(number)];
        client.waits = None;
        match told {
            Told::Grant { id, token, fence, ttl, replayed } => {
                let how = match waited {
                    _ if replayed => How::Replayed,
                    true => How::Waited,
                    false => How::Asked,
                };
                let until = self.counts_from(at, now) + ttl;
                client.open = false;
                let share = self.mode(number);
                client.grant = Some(Grant { id, token, share, fence, until, extending: false, released: false, how });
                state.notes.told.insert(id);
                state.notes.answered = state.notes.answered.max(fence);
            }
            Told::Gone => client.open = false,
            // A refusal is decided anew when the request comes again.
            _ => client.open = self.retries_refusals,
        }
    }

    /// A client that has no answer doesn't hold the lock. Its replica gives back what the acquire may have taken.
    pub(super) fn forget(&self, state: &mut State, id: Id) {
        if state.attempt(id).call != Call::Lost {
            state.left.unknowns -= 1;
        }
        self.abandon(state, id);
    }

    pub(super) fn abandon(&self, state: &mut State, id: Id) {
        let attempt = state.attempt(id);
        let number = attempt.client;
        attempt.live = false;
        attempt.owed = self.mistake != Some(Mistake::NothingIsCancelled);
        if let Call::Sent(sent) = std::mem::replace(&mut attempt.call, Call::None) {
            attempt.strays.push(sent);
        }
        self.loses_its_place(state, number);
    }

    /// A request with a key keeps its place in the queue. A request without a key is another request when it comes
    /// again.
    pub(super) fn loses_its_place(&self, state: &mut State, number: u8) {
        let client = &mut state.clients[usize::from(number)];
        client.waits = match client.waits {
            Some((came, _)) if self.keyed => Some((came, true)),
            _ => None,
        };
    }

    pub(super) fn extend(&self, state: &mut State, number: u8, replica: u8) {
        let (at, node) = (state.tick, state.replicas[usize::from(replica)].unwrap_or(0));
        let client = &mut state.clients[usize::from(number)];
        client.extends += 1;
        let Some(grant) = &mut client.grant else { return };
        grant.extending = true;
        let new_token = Token { tenure: grant.id, number: client.extends };
        let (kind, token, share) = (Kind::Extend { at, new_token }, grant.token, grant.share);
        state.operations.push(Operation { client: number, token, node, share, kind });
    }

    pub(super) fn convert(&self, state: &mut State, number: u8, replica: u8) {
        let (at, node) = (state.tick, state.replicas[usize::from(replica)].unwrap_or(0));
        let client = &mut state.clients[usize::from(number)];
        client.converted = true;
        let Some(grant) = &mut client.grant else { return };
        grant.extending = true;
        let (kind, token, share) = (Kind::Convert { at }, grant.token, grant.share);
        state.operations.push(Operation { client: number, token, node, share, kind });
    }

    pub(super) fn release(&self, state: &mut State, number: u8, replica: u8) {
        let node = state.replicas[usize::from(replica)].unwrap_or(0);
        let Some(grant) = &mut state.clients[usize::from(number)].grant else { return };
        grant.released = true;
        let (token, share) = (grant.token, grant.share);
        state.operations.push(Operation { client: number, token, node, share, kind: Kind::Release });
        // The end of the lease does not matter any more, and states shouldn't differ by it.
        grant.until = 0;
        grant.extending = false;
    }

    pub(super) fn confirm(&self, state: &mut State, index: usize) {
        let now = state.tick;
        let operation = state.operations.remove(index);
        if let Kind::Converted { token, fence, .. } = operation.kind {
            // Also a client that has released meanwhile, by the token from before, learns that it holds the lock.
            state.notes.told.insert(token.tenure);
            state.notes.answered = state.notes.answered.max(fence);
        }
        let grant = state.clients[usize::from(operation.client)].grant.as_mut();
        let Some(grant) = grant.filter(|grant| grant.id == operation.token.tenure && !grant.released) else { return };
        match operation.kind {
            Kind::Extended { at, token } => {
                grant.token = token;
                grant.until = self.counts_from(at, now) + self.lease;
                grant.extending = false;
            }
            Kind::Converted { at, token, share, fence } => {
                let (id, until) = (token.tenure, self.counts_from(at, now) + self.lease);
                *grant = Grant { id, token, share, fence, until, extending: false, released: false, how: grant.how };
            }
            Kind::Release | Kind::Extend { .. } | Kind::Convert { .. } => {}
        }
    }

    fn counts_from(&self, sent: Ms, now: Ms) -> Ms {
        if self.mistake == Some(Mistake::ClientCountsFromAnswer) { now } else { sent }
    }
}
