//! A lock in a sorted list.

use std::cmp::Ordering;

use gorilla_domain::{Order, ResourceName, State};

/// What a sorted list has of a lock, to order it by.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: ResourceName,
    /// How many requests wait for it.
    pub waiting: u64,
    /// When it was granted, to the holder that has held it for the longest, in milliseconds since 1970.
    pub created: i64,
    /// When it ends, in milliseconds since 1970.
    pub expires: i64,
    /// Who holds it.
    pub owners: Vec<String>,
}

impl Row {
    /// What a walk has seen of a lock that is held.
    pub fn of((name, state): (ResourceName, State)) -> Self {
        let (tenures, waiting): (Vec<_>, _) = match &state {
            State::Held { tenure, waiting, .. } => (vec![tenure], *waiting),
            State::Shared { holders, waiting, .. } => (holders.iter().map(|(tenure, _)| tenure).collect(), *waiting),
            State::Free { waiting } => (vec![], *waiting),
        };
        let created = tenures.iter().map(|tenure| tenure.created.timestamp_millis()).min();
        let expires = tenures.iter().map(|tenure| tenure.expires.timestamp_millis()).max();
        let mut owners: Vec<_> = tenures.iter().map(|tenure| tenure.owner.clone()).collect();
        owners.sort_unstable();
        owners.dedup();
        Self { name, waiting, created: created.unwrap_or_default(), expires: expires.unwrap_or_default(), owners }
    }

    /// Which of two comes first in an order.
    pub fn compare(&self, other: &Self, order: Order) -> Ordering {
        let by_name = || self.name.as_str().cmp(other.name.as_str());
        match order {
            Order::Waiting => other.waiting.cmp(&self.waiting).then_with(by_name),
            Order::Age => self.created.cmp(&other.created).then_with(by_name),
            Order::Left => self.expires.cmp(&other.expires).then_with(by_name),
            Order::Name => by_name(),
        }
    }
}
