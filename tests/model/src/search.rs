//! The protocol as stateright takes it, how a search is run, and what comes of it.

use std::{
    fmt::Debug,
    hash::Hash,
    time::{Duration, Instant},
};

use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::{Action, Protocol, properties, sets::Sets, state::State};

/// One search.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The name in the table of the README.
    pub name: &'static str,
    /// What is searched.
    pub searched: Searched,
    /// The property that is expected to break. Then the search ends with the shortest way there.
    pub breaks: Option<&'static str>,
}

/// What is searched.
#[derive(Clone, Copy, Debug)]
pub enum Searched {
    /// The protocol of one lock.
    Lock(Protocol),
    /// Sets of locks.
    Sets(Sets),
}

/// What a search found.
pub struct Found {
    /// The number of different states.
    pub states: usize,
    /// Steps of the longest way that was followed.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// The properties that must hold and don't, each with the steps of the shortest way there.
    pub broken: Vec<(&'static str, Vec<String>)>,
    /// What must be possible and isn't.
    pub impossible: Vec<&'static str>,
    /// The number of properties that were checked.
    pub properties: usize,
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<Self::State> {
        vec![self.bounds.beginning()]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>) {
        self.bounds.possible(state, actions);
    }

    fn next_state(&self, state: &Self::State, action: Self::Action) -> Option<Self::State> {
        Some(self.bounds.after(state, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(self)
    }
}

impl Search {
    /// Searches, on one thread, so that the figures are the same each time.
    pub fn run(&self) -> Found {
        match &self.searched {
            Searched::Lock(protocol) => self.of(*protocol),
            Searched::Sets(sets) => self.of(*sets),
        }
    }

    fn of<M>(&self, model: M) -> Found
    where
        M: Model<
                State: Clone + Debug + Hash + PartialEq + Send + Sync,
                Action: Clone + Debug + PartialEq + Send + Sync,
            > + Send
            + Sync
            + 'static,
    {
        let begun = Instant::now();
        let finish = match self.breaks {
            Some(property) => HasDiscoveries::AnyOf([property].into()),
            None => HasDiscoveries::AnyFailures,
        };
        let properties = model.properties();
        let checker = model.checker().finish_when(finish).spawn_bfs().join();
        let took = begun.elapsed();
        let (mut broken, mut impossible) = (Vec::new(), Vec::new());
        let mut discoveries = checker.discoveries();
        for property in &properties {
            let discovery = discoveries.remove(property.name);
            match (property.expectation.discovery_is_failure(), discovery) {
                (true, Some(path)) => {
                    let steps = path.into_actions().iter().map(|action| format!("{action:?}")).collect();
                    broken.push((property.name, steps));
                }
                (false, None) => impossible.push(property.name),
                _ => {}
            }
        }
        let (states, depth) = (checker.unique_state_count(), checker.max_depth());
        Found { states, depth, took, broken, impossible, properties: properties.len() }
    }
}
