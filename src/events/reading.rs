//! Makes events of entries: those that scripts noted, and those that follow from them.

use std::sync::Arc;

use gorilla_domain::{
    Failure, ResourceName,
    event::{Cursor, EntryId, Epoch, Event},
};
use gorilla_scripts::read_noted;
use tokio::sync::Semaphore;

use super::{
    fold::{Fold, MOST_OPEN},
    line::Line,
    recorded::Recorded,
};
use crate::store::{Entry, Store};

/// Entries that one command reads.
pub const AT_ONCE: usize = 512;
/// More entries than a recording has.
const MOST_ENTRIES: usize = 32_768;

/// Reads of the whole recording at once, in all of a process: each holds what it has read.
static REPLAYS: Semaphore = Semaphore::const_new(2);

/// What was read of a recording.
pub struct Reading {
    /// The open grants.
    pub fold: Fold,
    epoch: Epoch,
}

/// What a cursor asks for is not recorded any more.
pub struct Trimmed;

impl Reading {
    /// Nothing was read.
    pub fn new(epoch: Epoch) -> Self {
        Self { fold: Fold::new(MOST_OPEN), epoch }
    }

    /// Takes an entry, and returns its events, with those that follow from them before them.
    pub fn take(&mut self, store: &Store, entry: &Entry) -> Vec<Recorded> {
        self.take_of(entry, |lock| store.resource_of(lock))
    }

    /// The same for the locks at those keys for which `resource` names one.
    fn take_of(&mut self, entry: &Entry, resource: impl Fn(&str) -> Option<ResourceName>) -> Vec<Recorded> {
        let mut all = Vec::new();
        for (index, noted) in (0..).zip(read_noted(&entry.noted)) {
            let line = noted.and_then(|noted| Line::read(resource(&noted.lock)?, noted));
            let Some(line) = line else { continue };
            let cursor = Cursor { epoch: self.epoch, entry: entry.id, index, derived: None };
            for (event, cursor) in self.fold.take(&line, cursor) {
                all.push(recorded(event, cursor));
            }
            all.push(recorded(line.event, cursor));
        }
        all
    }
}

fn recorded(event: Event, cursor: Cursor) -> Recorded {
    Recorded::new(event, Some(cursor))
}

/// All events of the present epoch behind a cursor, read from Redis. Reads the whole recording, because an end may follow
/// from a grant long before.
pub async fn replay(store: &Store, since: Cursor) -> Result<Result<Vec<Arc<Recorded>>, Trimmed>, Failure> {
    // Fails only if it is closed, which it never is.
    let _permit = REPLAYS.acquire().await;
    let (mut reading, mut from, mut found) = (Reading::new(since.epoch), EntryId::default(), Vec::new());
    loop {
        let entries = store.entries_from(from, AT_ONCE).await?;
        if from == EntryId::default() && entries.first().is_none_or(|first| first.id > since.entry) {
            return Ok(Err(Trimmed));
        }
        for entry in &entries {
            let events = reading.take(store, entry).into_iter();
            let is_behind = |event: &Recorded| event.cursor.is_some_and(|cursor| cursor.order(&since).is_gt());
            found.extend(events.filter(is_behind).map(Arc::new));
        }
        match entries.last() {
            Some(last) if entries.len() == AT_ONCE => from = behind(last.id),
            _ => return Ok(Ok(found)),
        }
    }
}

/// The events of one lock before a cursor, the newest first: at most so many. The second result says where to go on, if
/// there may be more.
pub async fn backwards(
    store: &Store,
    epoch: Epoch,
    resource: &ResourceName,
    before: Option<Cursor>,
    limit: usize,
) -> Result<(Vec<Arc<Recorded>>, Option<Cursor>), Failure> {
    /// So many more events are read, because an end may follow from an earlier grant.
    const MARGIN: usize = 64;
    let key = store.lock_key(resource);
    let resource_of = |lock: &str| (lock == key).then(|| resource.clone());
    let (mut from, mut looked_at, mut kept, mut events) = (before.map(|before| before.entry), 0, Vec::new(), 0);
    let mut has_more = true;
    while events < limit + MARGIN && looked_at < MOST_ENTRIES {
        let entries = store.entries_back(from, AT_ONCE).await?;
        looked_at += entries.len();
        let is_last = entries.len() < AT_ONCE;
        for entry in entries {
            from = before_that(entry.id);
            let is_of_it =
                |noted: &Option<gorilla_scripts::Noted>| noted.as_ref().is_some_and(|noted| noted.lock == key);
            let count = read_noted(&entry.noted).iter().filter(|noted| is_of_it(noted)).count();
            if count > 0 {
                events += count;
                kept.push(entry);
            }
        }
        if is_last || from.is_none() {
            has_more = false;
            break;
        }
    }
    let mut reading = Reading::new(epoch);
    let all = kept.iter().rev().flat_map(|entry| reading.take_of(entry, resource_of));
    let is_before = |event: &Recorded| match (before, event.cursor) {
        (Some(before), Some(cursor)) => cursor.order(&before).is_lt(),
        _ => true,
    };
    let mut all: Vec<_> = all.filter(is_before).map(Arc::new).collect();
    let has_more = has_more || all.len() > limit;
    let told = all.split_off(all.len().saturating_sub(limit));
    let oldest = told.first().and_then(|event| event.cursor);
    let on = oldest.or_else(|| from.map(|entry| Cursor::behind(epoch, entry))).filter(|_| has_more);
    Ok((told.into_iter().rev().collect(), on))
}

/// The id behind another.
fn behind(id: EntryId) -> EntryId {
    EntryId { seq: id.seq + 1, ..id }
}

/// The id before another, if there is one.
fn before_that(id: EntryId) -> Option<EntryId> {
    match (id.ms, id.seq) {
        (0, 0) => None,
        (ms, 0) => Some(EntryId { ms: ms - 1, seq: u64::MAX }),
        (ms, seq) => Some(EntryId { ms, seq: seq - 1 }),
    }
}
