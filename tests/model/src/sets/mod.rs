//! Sets as a state machine: several locks, all or none, over two resources. `docs/internals/sets.md` has the algorithm.

mod actions;
mod bounds;
pub mod properties;
mod state;
mod steps;

pub use actions::SetAction;
pub use bounds::{NAMES, Sets};
pub use state::SetsState;

use stateright::{Model, Property};

impl Model for Sets {
    type State = SetsState;
    type Action = SetAction;

    fn init_states(&self) -> Vec<Self::State> {
        vec![self.beginning()]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>) {
        self.possible(state, actions);
    }

    fn next_state(&self, state: &Self::State, action: Self::Action) -> Option<Self::State> {
        Some(self.after(state, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(self)
    }
}
