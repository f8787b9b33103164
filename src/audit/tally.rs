//! Refusals of a second, gathered so that nobody can fill the disk by being refused.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use super::record::{Event, Record};

/// What is gathered into one record: the event, its outcome, and the name of the caller, empty if nobody knows it.
type Kind = (Event, &'static str, String);

/// The refusals since the last drain. There are as many kinds as identities and outcomes, whatever clients send.
#[derive(Debug, Default)]
pub struct Tally(Mutex<HashMap<Kind, Gathered>>);

/// Refusals of one kind.
#[derive(Debug)]
pub struct Gathered {
    /// What they are about.
    pub event: Event,
    /// When the first came.
    pub since: SystemTime,
    /// The first of them, as a JSON object.
    record: String,
    count: u64,
}

impl Tally {
    /// Counts a refusal. The first of a kind is kept as a record.
    pub fn add(&self, record: &Record) {
        let kind = (record.event, record.outcome, record.identity.unwrap_or_default().to_string());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = || Gathered { event: record.event, since: SystemTime::now(), record: record.json(), count: 0 };
        all.entry(kind).or_insert_with(first).count += 1;
    }

    /// Takes what was gathered, in the order of time.
    pub fn drain(&self) -> Vec<Gathered> {
        let taken = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut all: Vec<_> = taken.into_values().collect();
        all.sort_unstable_by_key(|gathered| gathered.since);
        all
    }
}

impl Gathered {
    /// The record that stands for all of them, as a JSON object.
    pub fn json(&self) -> String {
        format!("{},\"count\":{}}}", self.record.strip_suffix('}').unwrap_or_default(), self.count)
    }
}
