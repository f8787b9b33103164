//! What is searched.

use crate::Bounds;

/// The protocol within bounds.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// How far.
    pub bounds: Bounds,
    /// Whether exclusion is among the properties: where data is lost it may break, and would end the search.
    pub excludes: bool,
}
