//! What each step does: of clients, of the network to and in Redis, and of faults.

mod clients;
mod faults;
mod network;

use crate::{
    Action, Bounds,
    redis::Us,
    scripts::Env,
    state::{Left, Link, Notes, State},
};

impl Bounds {
    /// The state before anything has happened.
    pub fn beginning(&self) -> State {
        let mut state = State {
            tick: 1,
            micro: 0,
            nodes: Default::default(),
            link: Link::Follows,
            restarted: false,
            replicas: vec![Some(0); usize::from(self.replicas)],
            clients: vec![Default::default(); usize::from(self.clients)],
            attempts: Vec::new(),
            operations: Vec::new(),
            left: Left {
                unknowns: self.unknowns,
                cuts: self.cuts,
                give_ups: self.give_ups,
                repeats: self.repeats,
                crashes: self.crashes,
                losses: 1,
            },
            notes: Notes::default(),
        };
        state.nodes[0].seen = self.grace.map(|_| 0);
        state
    }

    /// The state after a step that is possible.
    pub fn after(&self, state: &State, action: Action) -> State {
        let mut next = state.clone();
        let state = &mut next;
        match action {
            Action::Ask { client, replica } => self.ask(state, client, replica),
            Action::Execute(id) => self.execute(state, id),
            Action::Answer(id) => self.answer(state, id),
            Action::Forget(id) => self.forget(state, id),
            Action::Cut(id) => self.cut(state, id),
            Action::Claim { id, last } => self.claim(state, id, last),
            Action::ExecuteStray(id) => self.execute_stray(state, id),
            Action::LoseStray(id) => drop(state.attempt(id).strays.remove(0)),
            Action::Cancel { id, confirmed } => self.cancel(state, id, confirmed),
            Action::Wake => self.wake(state),
            Action::Extend { client, replica } => self.extend(state, client, replica),
            Action::Release { client, replica } => self.release(state, client, replica),
            Action::Convert { client, replica } => self.convert(state, client, replica),
            Action::Operate { index, again } => self.operate(state, index, again),
            Action::Confirm(index) => self.confirm(state, index),
            Action::Tick => self.tick(state),
            Action::Crash(replica) => self.crash(state, replica),
            Action::Stop => self.stop(state),
            Action::Promote => self.promote(state),
            Action::Reconnect(replica) => self.reconnect(state, replica),
            Action::RestartEmpty => self.restart_empty(state),
        }
        next.tidy();
        next
    }

    fn clock(&self, state: &State, node: u8) -> Us {
        let behind = if node == 1 { self.clock_behind } else { 0 };
        state.tick.saturating_sub(behind) * 1000 + state.micro
    }

    fn env(&self, state: &State, node: u8) -> Env {
        Env {
            now: self.clock(state, node),
            turn: 1,
            room: self.room,
            holders: usize::MAX,
            most_ended: usize::MAX,
            most_called: usize::MAX,
            incarnation: if state.restarted { 2 } else { node },
            grace: self.grace,
            mistake: self.mistake,
        }
    }
}
