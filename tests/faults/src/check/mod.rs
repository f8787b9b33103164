//! Decides from a history whether the promises of docs/internals/guarantees.md were kept: exactly, and in O(n log n).
//!
//! Nothing here knows how Gorilla works. What a client can't know counts in favour of the service: a lease counts from
//! when it was asked for, a release from when it was sent.

mod batches;
mod events;
mod facts;
mod fences;
mod floors;
mod hearing;
mod holders;
mod idle;
mod leaders;
mod limits;
mod mistold;
mod orphans;
mod retries;
mod sets;
mod standing;
mod tenure;
mod tokens;
mod turns;
mod updates;
mod violation;

pub use mistold::{Mistold, MistoldTo};
pub use orphans::FREED;
pub use tenure::{Tenure, tenures};
pub use updates::lost;
pub use violation::{Property, Violation};

use crate::history::History;

/// All broken promises, at most one of each kind for each event.
pub fn check(history: &History) -> Vec<Violation> {
    let tenures = tenures(history);
    let mut found = Vec::new();
    holders::check(&tenures, &mut found);
    standing::check(&tenures, history, &mut found);
    fences::check(&tenures, &mut found);
    floors::check(&tenures, history, &mut found);
    limits::check(&tenures, history, &mut found);
    tokens::check(&tenures, history, &mut found);
    retries::check(history, &mut found);
    updates::check(history, &mut found);
    orphans::check(history, &mut found);
    turns::check(&tenures, history, &mut found);
    idle::check(history, &mut found);
    sets::check(&tenures, history, &mut found);
    batches::check(history, &mut found);
    leaders::check(&tenures, history, &mut found);
    events::check(&tenures, history, &mut found);
    found
}
