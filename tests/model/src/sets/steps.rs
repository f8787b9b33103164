//! What each step does to sets: `src/store/operations/acquire_set.rs`, with the scripts that it calls.

use super::{
    actions::SetAction,
    bounds::Sets,
    state::{Left, Part, Set, SetsState, Step, Stray, Then, Wrong},
};
use crate::{
    Mistake,
    redis::{Id, Name, Redis, Token},
    scripts::{self, Acquire, Arrived, Cancel, Env, Hold, Release, Reply},
};

/// More than there are sets.
const ROOM: usize = 9;

impl Sets {
    /// The state before anything has happened.
    pub fn beginning(&self) -> SetsState {
        SetsState {
            tick: 1,
            micro: 0,
            resources: Default::default(),
            sets: vec![Set::default(); self.wants.len()],
            strays: Vec::new(),
            left: Left { unknowns: self.unknowns, give_ups: self.give_ups, breaks: self.breaks, crashes: self.crashes },
            wrongs: Default::default(),
        }
    }

    /// The state after a step that is possible.
    pub fn after(&self, state: &SetsState, action: SetAction) -> SetsState {
        let mut next = state.clone();
        let state = &mut next;
        match action {
            SetAction::Take(set) => self.take(state, set, true),
            SetAction::GiveUp(set) => {
                state.left.give_ups -= 1;
                self.take(state, set, false);
            }
            SetAction::LoseReply(set) | SetAction::LoseCall(set) => self.lose(state, set, action),
            SetAction::HangUp(set) => {
                state.left.unknowns -= 1;
                self.give_back(state, set, Then::Nothing);
            }
            SetAction::Renew(set) => self.renew(state, set),
            SetAction::Commit(set, part) => self.commit(state, set, part),
            SetAction::GiveBack(set, part) => self.give_part_back(state, set, part),
            SetAction::Release(set, part) => self.release(state, set, part),
            SetAction::Kill(set) => {
                state.left.crashes -= 1;
                state.sets[set].step = Step::Killed;
            }
            SetAction::ExecuteStray(index) => {
                let stray = state.strays.remove(index);
                self.acquire(state, stray.resource, stray.id, stray.arrived, true);
            }
            SetAction::LoseStray(index) => drop(state.strays.remove(index)),
            SetAction::Break(resource) => self.break_lock(state, resource),
            SetAction::Wake(resource) => drop(self.run(state, resource, scripts::wake)),
            SetAction::Tick => {
                state.tick += 1;
                state.micro = 0;
                let now = state.tick;
                state.resources.iter_mut().for_each(|redis| redis.expire(now));
            }
        }
        next.strays.sort_unstable();
        next
    }

    /// A set begins to take its parts.
    fn begin(&self, state: &mut SetsState, number: usize) {
        let round = state.sets[number].rounds;
        let part = |(index, resource)| Part {
            resource,
            id: self.id(number, round, index),
            arrived: Arrived::Not,
            asked: false,
            held: false,
            doubted: false,
            done: false,
            broken: false,
        };
        let set = &mut state.sets[number];
        set.parts = self.order(number).into_iter().enumerate().map(part).collect();
        set.rounds += 1;
        set.step = Step::Taking;
    }

    fn take(&self, state: &mut SetsState, number: usize, wait: bool) {
        if state.sets[number].step == Step::Idle {
            self.begin(state, number);
        }
        let Some(next) = state.sets[number].next() else { return };
        let Part { resource, id, arrived, .. } = state.sets[number].parts[next];
        let reply = self.acquire(state, resource, id, arrived, wait);
        let since = state.tick;
        let set = &mut state.sets[number];
        set.parts[next].asked = true;
        match reply {
            Reply::Granted { .. } => {
                set.parts[next].held = true;
                if set.next().is_none() {
                    set.step = Step::Committing { since, together: false, lost: false };
                }
            }
            Reply::Queued { arrived, .. } => {
                set.parts[next].arrived = Arrived::At(arrived);
                set.waited = true;
            }
            _ => self.give_back(state, number, Then::Refused),
        }
    }

    /// Nobody learns what came of a call, so its set gives back what it may have.
    fn lose(&self, state: &mut SetsState, number: usize, action: SetAction) {
        state.left.unknowns -= 1;
        let Some(next) = state.sets[number].next() else { return };
        let Part { resource, id, arrived, .. } = state.sets[number].parts[next];
        if matches!(action, SetAction::LoseReply(_)) {
            self.acquire(state, resource, id, arrived, true);
        } else {
            state.strays.push(Stray { resource, id, arrived });
        }
        let part = &mut state.sets[number].parts[next];
        (part.asked, part.doubted) = (true, true);
        self.give_back(state, number, Then::Refused);
    }

    fn acquire(&self, state: &mut SetsState, resource: usize, id: Id, arrived: Arrived, wait: bool) -> Reply {
        let call = Acquire {
            id,
            token: token(id),
            lease: self.hold,
            request: Name::Attempt(id),
            fingerprint: None,
            wait,
            channel: self.set_of(id) as u8,
            arrived,
            share: None,
        };
        self.run(state, resource, |redis, env| scripts::acquire(redis, env, &call))
    }

    fn renew(&self, state: &mut SetsState, number: usize) {
        for part in state.sets[number].parts.clone().into_iter().filter(|part| part.held) {
            let call = Hold { id: part.id, lease: self.hold, commit: false, once: None };
            if self.run(state, part.resource, |redis, env| scripts::hold(redis, env, &call)) == Reply::Lost {
                return self.give_back(state, number, Then::Again);
            }
        }
    }

    fn commit(&self, state: &mut SetsState, number: usize, index: usize) {
        let Part { resource, id, .. } = state.sets[number].parts[index];
        let all_held = state.sets[number].parts.iter().all(|part| state.holds(part));
        let call = Hold { id, lease: self.lease, commit: true, once: None };
        let is_lost = self.run(state, resource, |redis, env| scripts::hold(redis, env, &call)) == Reply::Lost;
        let set = &mut state.sets[number];
        set.parts[index].done = true;
        let Step::Committing { since, together, lost } = &mut set.step else { return };
        *together |= all_held;
        *lost |= is_lost;
        let (since, together, lost) = (*since, *together, *lost);
        // All replies are waited for.
        if !set.parts.iter().all(|part| part.done) {
            return;
        }
        if lost {
            return self.give_back(state, number, Then::Again);
        }
        set.parts.iter_mut().for_each(|part| part.done = false);
        set.step = Step::Granted { until: since + self.lease };
        if !together {
            state.wrongs.insert(Wrong::NotTogether);
        }
    }

    /// Begins to give back the parts that were asked for.
    fn give_back(&self, state: &mut SetsState, number: usize, then: Then) {
        let keeps = self.mistake == Some(Mistake::RefusedSetKeepsParts);
        let set = &mut state.sets[number];
        set.step = Step::GivingBack(then);
        set.parts.iter_mut().for_each(|part| part.done = !part.asked || keeps && part.held);
        self.end_if_given_back(state, number);
    }

    fn give_part_back(&self, state: &mut SetsState, number: usize, index: usize) {
        let Part { resource, id, held, doubted, .. } = state.sets[number].parts[index];
        if held && !doubted {
            let call = Release { token: token(id), once: None };
            self.run(state, resource, |redis, env| scripts::release(redis, env, &call));
        } else {
            let call = Cancel { id, request: Name::Attempt(id) };
            self.run(state, resource, |redis, env| scripts::cancel(redis, env, &call));
        }
        state.sets[number].parts[index].done = true;
        self.end_if_given_back(state, number);
    }

    fn end_if_given_back(&self, state: &mut SetsState, number: usize) {
        let set = &state.sets[number];
        let Step::GivingBack(then) = set.step else { return };
        if !set.parts.iter().all(|part| part.done) {
            return;
        }
        let holds = set.parts.iter().any(|part| state.holds(part));
        let starts_over = then == Then::Again && set.rounds < self.rounds;
        if holds && then != Then::Nothing && !starts_over {
            state.wrongs.insert(Wrong::KeptAfterRefusal);
        }
        let set = &mut state.sets[number];
        set.step = if starts_over { Step::Idle } else { Step::Over };
        set.parts.clear();
    }

    fn release(&self, state: &mut SetsState, number: usize, index: usize) {
        let Part { resource, id, .. } = state.sets[number].parts[index];
        let call = Release { token: token(id), once: None };
        self.run(state, resource, |redis, env| scripts::release(redis, env, &call));
        let set = &mut state.sets[number];
        set.parts[index].done = true;
        if set.parts.iter().all(|part| part.done) {
            set.step = Step::Over;
        }
    }

    /// `lua/break.lua`, of a lock that one client has alone.
    fn break_lock(&self, state: &mut SetsState, resource: usize) {
        state.left.breaks -= 1;
        let Some(lock) = state.resources[resource].lock.take() else { return };
        let all = state.sets.iter_mut().flat_map(|set| &mut set.parts);
        all.filter(|part| part.id == lock.id).for_each(|part| part.broken = true);
        self.run(state, resource, scripts::wake);
    }

    /// Runs a script on a resource. The clock is read once more whenever its reading was kept.
    fn run(&self, state: &mut SetsState, resource: usize, script: impl FnOnce(&mut Redis, &Env) -> Reply) -> Reply {
        let env = Env {
            now: state.tick * 1000 + state.micro,
            turn: 1,
            room: ROOM,
            holders: usize::MAX,
            most_ended: usize::MAX,
            most_called: usize::MAX,
            incarnation: 0,
            grace: None,
            mistake: self.mistake,
        };
        let redis = &mut state.resources[resource];
        let (fence, queue) = (redis.fence, redis.queue.clone());
        let reply = script(redis, &env);
        if redis.fence != fence || redis.queue.difference(&queue).next().is_some() {
            state.micro += 1;
        }
        reply
    }
}

fn token(id: Id) -> Token {
    Token { tenure: id, number: 0 }
}
