//! What Redis executes, and what becomes of the replies.

use crate::{
    Bounds, Mistake,
    bounds::{Ack, CONVERTED},
    redis::{Id, Redis, Share, Token},
    scripts::{self, Acquire, Arrived, Cancel, Convert, Extend, Release, Reply},
    state::{Call, Kind, Link, Operation, Sent, State, Told, Wrong},
};

impl Bounds {
    pub(super) fn execute(&self, state: &mut State, id: Id) {
        let Call::Sent(sent) = state.attempt(id).call else { return };
        let told = self.acquire(state, id, sent);
        let unconfirmed = self.ack != Ack::Off && matches!(told, Told::Grant { .. }) && !has_second(state, sent.node);
        state.attempt(id).call = if unconfirmed { Call::Lost } else { Call::Replied { at: sent.at, told } };
        if !self.slow_answers {
            self.answer(state, id);
        }
    }

    pub(super) fn execute_stray(&self, state: &mut State, id: Id) {
        let sent = state.attempt(id).strays.remove(0);
        self.acquire(state, id, sent);
    }

    /// A waiter's replica opens a new connection, and what was sent over the old one may still arrive.
    pub(super) fn cut(&self, state: &mut State, id: Id) {
        if !self.keyed && self.mistake != Some(Mistake::WaiterForgetsDoubt) {
            // No record would tell a later call what came of this one, so the client learns that nobody knows.
            state.left.cuts -= 1;
            return self.abandon(state, id);
        }
        let attempt = state.attempt(id);
        if let Call::Sent(sent) = std::mem::replace(&mut attempt.call, Call::None) {
            attempt.strays.push(sent);
        }
        attempt.doubted = true;
        if attempt.arrived == Arrived::Not {
            attempt.arrived = Arrived::Unknown;
        }
        let number = attempt.client;
        state.left.cuts -= 1;
        if let Some((_, faulted)) = &mut state.clients[usize::from(number)].waits {
            *faulted = true;
        }
    }

    pub(super) fn claim(&self, state: &mut State, id: Id, last: bool) {
        let at = state.tick;
        let replica = state.attempt(id).replica;
        let node = state.replicas[usize::from(replica)].unwrap_or(0);
        let attempt = state.attempt(id);
        attempt.call = Call::Sent(Sent { at, node, wait: !last, arrived: attempt.arrived });
        if last {
            state.left.give_ups -= 1;
        }
    }

    /// Runs `lua/try.lua` or `lua/claim.lua`, and notes what must not happen.
    fn acquire(&self, state: &mut State, id: Id, sent: Sent) -> Told {
        let attempt = state.attempt(id).clone();
        let call = Acquire {
            id,
            token: Token { tenure: id, number: 0 },
            lease: self.lease,
            request: attempt.name,
            fingerprint: self.keyed.then_some(attempt.client),
            wait: sent.wait,
            channel: attempt.replica,
            arrived: sent.arrived,
            share: self.mode(attempt.client),
        };
        // A call that meets a group changes nothing, and the call that follows it decides: as if it alone had come.
        let reply = self.run(state, sent.node, |redis, env| match call.share {
            None if redis.group.is_none() => scripts::acquire(redis, env, &call),
            _ => scripts::join(redis, env, &call),
        });
        match reply {
            Reply::Granted { fence, .. } | Reply::Joined { fence, .. } => {
                self.note_grant(state, id, fence);
                Told::Grant { id, token: call.token, fence, ttl: self.lease, replayed: false }
            }
            Reply::Replayed { fence, id: holder, token, ttl, .. }
            | Reply::Rejoined { fence, id: holder, token, ttl, .. } => {
                Told::Grant { id: holder, token, fence, ttl, replayed: true }
            }
            Reply::Queued { arrived, .. } => {
                let came = state.notes.came;
                let client = &mut state.clients[usize::from(attempt.client)];
                if attempt.live && client.waits.is_none() {
                    client.waits = Some((came, false));
                    state.notes.came += 1;
                }
                Told::Queued(arrived)
            }
            Reply::Superseded => Told::Superseded,
            Reply::Gone => Told::Gone,
            // Only strays get `Reused`, for an attempt that got a name meanwhile.
            Reply::Held { .. }
            | Reply::Reserved { .. }
            | Reply::Crowd { .. }
            | Reply::Limited { .. }
            | Reply::Full { .. }
            | Reply::Cancelled
            | Reply::Recovering { .. }
            | Reply::Unsettled { .. }
            | Reply::Reused => Told::Refused,
            other => unreachable!("an acquire replied {other:?}"),
        }
    }

    fn note_grant(&self, state: &mut State, id: Id, fence: u64) {
        let attempt = state.attempt(id).clone();
        let client = &state.clients[usize::from(attempt.client)];
        let came = client.waits.map(|(came, _)| came);
        // Waiters that were called may enter in whatever order they come.
        let redis = &state.nodes[0];
        let bound = redis.group.as_ref().map_or(0, |group| group.bound);
        let called = redis.queue.iter().filter(|place| place.arrived <= bound);
        let called: Vec<_> = called.map(|place| self.client_of(place.id)).collect();
        let overtaken = (0..).zip(&state.clients).any(|(other, client)| {
            let waits =
                client.waits.is_some_and(|(earlier, faulted)| !faulted && came.is_none_or(|came| earlier < came));
            other != attempt.client && waits && !called.contains(&other)
        });
        let same = if self.keyed { client.requests == attempt.request } else { false };
        let twice = client.grant.as_ref().is_some_and(|grant| same || grant.id == id);
        let wrongs = [
            (overtaken && attempt.live, Wrong::Overtook),
            (twice, Wrong::GrantedTwice),
            (attempt.cancelled, Wrong::GrantedAfterCancel),
        ];
        state.notes.wrongs.extend(wrongs.into_iter().filter_map(|(is, wrong)| is.then_some(wrong)));
        self.note_holder(state, Token { tenure: id, number: 0 }, self.mode(attempt.client), fence);
    }

    /// A grant was made, which ends all others unless it shares the lock with them.
    fn note_holder(&self, state: &mut State, token: Token, share: Option<Share>, fence: u64) {
        if share.is_none() {
            state.notes.current.clear();
            if !self.modes.is_empty() {
                state.notes.alone = fence;
            }
        }
        state.notes.current.insert(token);
    }

    pub(super) fn cancel(&self, state: &mut State, id: Id, confirmed: bool) {
        let attempt = state.attempt(id).clone();
        let node = state.replicas[usize::from(attempt.replica)].unwrap_or(0);
        let call = Cancel { id, request: attempt.name };
        let reply = self.run(state, node, |redis, env| scripts::cancel(redis, env, &call));
        if matches!(reply, Reply::CancelReleased { .. }) {
            let redis = &state.nodes[usize::from(node)];
            state.notes.current.retain(|token| redis.holds(token.tenure));
        }
        if confirmed {
            let attempt = state.attempt(id);
            attempt.owed = false;
            attempt.cancelled = true;
        } else {
            state.left.repeats -= 1;
        }
    }

    pub(super) fn wake(&self, state: &mut State) {
        self.run(state, 0, scripts::wake);
    }

    pub(super) fn operate(&self, state: &mut State, index: usize, again: bool) {
        let operation = state.operations[index].clone();
        let (token, node) = (operation.token, operation.node);
        if again {
            state.left.repeats -= 1;
        } else {
            state.operations.remove(index);
        }
        let had = state.nodes[usize::from(node)].holds(token.tenure);
        match operation.kind {
            Kind::Release => {
                let call = Release { token, once: None };
                let reply = self.run(state, node, |redis, env| match operation.share {
                    None => scripts::release(redis, env, &call),
                    Some(_) => scripts::shared_release(redis, env, &call),
                });
                if matches!(reply, Reply::Released { .. }) {
                    self.note_act(state, had, token, None);
                }
            }
            Kind::Convert { at } => {
                let id = CONVERTED + operation.client;
                let share = match operation.share {
                    Some(_) => None,
                    None => Some(Share { permits: 1, limit: None }),
                };
                let new_token = Token { tenure: id, number: 0 };
                let call = Convert { token, id, new_token, lease: self.lease, share, once: None };
                let reply = self.run(state, node, |redis, env| scripts::convert(redis, env, &call));
                if let Reply::Shares { fence, .. } | Reply::Alone { fence, .. } = reply {
                    self.note_act(state, had, token, None);
                    self.note_holder(state, new_token, share, fence);
                    let kind = Kind::Converted { at, token: new_token, share, fence };
                    state.operations.push(Operation { kind, ..operation });
                    if !self.slow_answers {
                        self.confirm(state, state.operations.len() - 1);
                    }
                }
            }
            Kind::Extend { at, new_token } => {
                let call = Extend { token, new_token, lease: self.lease, once: None };
                let reply = self.run(state, node, |redis, env| match operation.share {
                    None => scripts::extend(redis, env, &call),
                    Some(_) => scripts::shared_extend(redis, env, &call),
                });
                if matches!(reply, Reply::Extended { .. }) {
                    self.note_act(state, had, token, Some(new_token));
                    if self.ack != Ack::All || has_second(state, node) {
                        let kind = Kind::Extended { at, token: new_token };
                        state.operations.push(Operation { kind, ..operation });
                        if !self.slow_answers {
                            self.confirm(state, state.operations.len() - 1);
                        }
                    }
                }
            }
            Kind::Extended { .. } | Kind::Converted { .. } => {}
        }
    }

    /// A token had an effect. `had` says whether its tenure held the lock.
    fn note_act(&self, state: &mut State, had: bool, token: Token, next: Option<Token>) {
        if !had {
            state.notes.wrongs.insert(Wrong::ForeignTokenActed);
        }
        if !state.notes.current.contains(&token) {
            state.notes.wrongs.insert(Wrong::StaleTokenActed);
        }
        state.notes.current.retain(|other| other.tenure != token.tenure);
        state.notes.current.extend(next);
    }

    /// Runs a script on a node. The clock is read once more whenever its reading was kept.
    fn run(&self, state: &mut State, node: u8, script: impl FnOnce(&mut Redis, &scripts::Env) -> Reply) -> Reply {
        let env = self.env(state, node);
        let redis = &mut state.nodes[usize::from(node)];
        let (fence, queue) = (redis.fence, redis.queue.clone());
        let reply = script(redis, &env);
        let kept = redis.fence != fence || redis.queue.difference(&queue).next().is_some();
        let gone: Vec<_> = queue.difference(&redis.queue).map(|place| self.client_of(place.id)).collect();
        if kept {
            state.micro += 1;
        }
        // A waiter that was dropped from the queue had missed its turn.
        for number in gone {
            if let Some((_, faulted)) = &mut state.clients[usize::from(number)].waits {
                *faulted = true;
            }
        }
        reply
    }
}

/// Whether a write to that node is at once on the other node too; for a new master, on a node that isn't modelled.
fn has_second(state: &State, node: u8) -> bool {
    node == 1 || state.link == Link::Follows
}
