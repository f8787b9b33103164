//! What is searched.

use crate::Bounds;

/// The protocol within bounds.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// The bounds.
    pub bounds: Bounds,
    /// Whether exclusion is among the properties. It may break if data is lost, which would end the search.
    pub excludes: bool,
}
