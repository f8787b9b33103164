//! What all replicas together do: from what each tells of itself to what people are shown. It knows neither HTTP nor Redis.
//! docs/internals/fleet-data.md says how it works.

mod blocking;
mod history;
mod info;
mod pulse;
mod range;
mod stats;

pub use blocking::{Held, tree};
pub use history::History;
pub use info::read_info;
pub use pulse::{Counted, Line, Pulse, State, Totals};
pub use range::Range;
pub use stats::{contended, replicas, stats};
