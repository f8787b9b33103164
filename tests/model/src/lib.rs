//! The protocol of Gorilla as a state machine, and a search through all its states.
//!
//! `README.md` beside this says what is covered. To read it: [`redis`] is what Redis keeps, [`scripts`] what it does,
//! [`state`] where everybody stands, [`Action`] all that can happen, [`properties`] what must hold, [`searches`] what is
//! searched.

mod actions;
pub mod bounds;
mod mistake;
pub mod properties;
pub mod redis;
pub mod scripts;
mod search;
pub mod searches;
pub mod state;
mod steps;
pub mod table;

pub use actions::Action;
pub use bounds::Bounds;
pub use mistake::Mistake;
pub use search::{Found, Search};
use stateright::{Model, Property};

/// What stateright searches.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// How far.
    pub bounds: Bounds,
    /// Whether exclusion is among the properties: where data is lost it may break, and would end the search.
    pub excludes: bool,
}

impl Model for Protocol {
    type State = state::State;
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
