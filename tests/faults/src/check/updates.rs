//! Promise 2 put to use: a register that compares fences loses no update.

use std::collections::HashMap;

use super::Violation;
use crate::history::History;

pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    found.extend(lost(history, true));
}

/// The updates that registers lost, either the registers that compare fences or the others: each value must be written
/// only once.
pub fn lost(history: &History, fenced: bool) -> impl Iterator<Item = Violation> {
    let mut writers = HashMap::new();
    history.updates().filter(move |update| update.accepted && update.fenced == fenced).filter_map(move |update| {
        let other = writers.insert((&update.resource, update.value), update.fence)?;
        let fences = (other, update.fence);
        Some(Violation::LostUpdate { resource: update.resource.clone(), value: update.value, fences })
    })
}
