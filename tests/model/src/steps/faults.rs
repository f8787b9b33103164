//! Time, and what breaks.

use crate::{
    Bounds,
    bounds::Loss,
    redis::Token,
    scripts,
    state::{Call, Kind, Link, State},
};

impl Bounds {
    pub(super) fn tick(&self, state: &mut State) {
        state.tick += 1;
        state.micro = 0;
        for node in [0, 1] {
            let now = self.clock(state, node) / 1000;
            state.nodes[usize::from(node)].expire(now);
        }
        let tick = state.tick;
        match (&state.nodes[0].lock, &state.nodes[0].group) {
            (Some(_), _) => {}
            (None, None) => state.notes.current.clear(),
            (None, Some(group)) => {
                let lasts = |token: &Token| group.members.get(&token.tenure).is_some_and(|one| one.expires > tick);
                state.notes.current.retain(lasts);
                state.notes.ended |= group.members.values().any(|member| member.expires <= tick);
            }
        }
    }

    /// Nobody answers its clients or makes its cancellations any more. What it has sent may still arrive.
    pub(super) fn crash(&self, state: &mut State, replica: u8) {
        state.left.crashes -= 1;
        state.replicas[usize::from(replica)] = None;
        for index in 0..state.attempts.len() {
            let attempt = &mut state.attempts[index];
            if attempt.replica != replica {
                continue;
            }
            if let Call::Sent(sent) = std::mem::replace(&mut attempt.call, Call::None) {
                attempt.strays.push(sent);
            }
            let (number, was_live) = (attempt.client, attempt.live);
            attempt.live = false;
            attempt.owed = false;
            state.notes.crashed.insert(number);
            if was_live {
                self.loses_its_place(state, number);
            }
        }
    }

    pub(super) fn stop(&self, state: &mut State) {
        state.link = Link::Stopped;
        state.nodes[1] = state.nodes[0].clone();
    }

    pub(super) fn promote(&self, state: &mut State) {
        if state.link == Link::Follows {
            self.stop(state);
        }
        state.link = Link::Promoted;
        if self.loss == Loss::OldMasterDies {
            self.lose_calls(state);
            state.nodes[0] = Default::default();
            (0..self.replicas).for_each(|replica| self.reconnect(state, replica));
        }
    }

    pub(super) fn reconnect(&self, state: &mut State, replica: u8) {
        state.replicas[usize::from(replica)] = Some(1);
        let env = self.env(state, 1);
        scripts::recovery(&mut state.nodes[1], &env);
    }

    pub(super) fn restart_empty(&self, state: &mut State) {
        state.left.losses -= 1;
        state.restarted = true;
        state.nodes[0] = Default::default();
        self.lose_calls(state);
        let env = self.env(state, 0);
        scripts::recovery(&mut state.nodes[0], &env);
    }

    /// What was on its way to the first node doesn't arrive.
    fn lose_calls(&self, state: &mut State) {
        for attempt in &mut state.attempts {
            attempt.strays.clear();
            if matches!(attempt.call, Call::Sent(_)) {
                attempt.call = Call::Lost;
            }
        }
        state.operations.retain(|one| matches!(one.kind, Kind::Extended { .. } | Kind::Converted { .. }));
    }
}
