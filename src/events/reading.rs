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
/// Entries that are looked at for the last events, at most.
const MOST_RECENT: usize = 8 * AT_ONCE;
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
            let cursor = Cursor { epoch: self.epoch, entry: entry.id, slot: entry.slot, index, derived: None };
            for (event, cursor) in self.fold.take(&line, cursor) {
                all.push(Recorded::new(event, Some(cursor)));
            }
            all.push(Recorded::new(line.event, Some(cursor)));
        }
        all
    }
}

/// All events of the present epoch behind a cursor, read from Redis. Reads the whole recording, because an end may follow
/// from a grant long before.
pub async fn replay(store: &Store, since: Cursor) -> Result<Result<Vec<Arc<Recorded>>, Trimmed>, Failure> {
    // Fails only if it is closed, which it never is.
    let _permit = REPLAYS.acquire().await;
    let (mut reading, mut from, mut found) = (Reading::new(since.epoch), EntryId::default(), Vec::new());
    let mut take = |entry: &Entry| {
        let is_behind = |event: &Recorded| event.cursor.is_some_and(|cursor| cursor.order(&since).is_gt());
        found.extend(reading.take(store, entry).into_iter().filter(is_behind).map(Arc::new));
    };
    if store.records_in_slots() {
        let (entries, kept_since) = store.entries_of_all_slots().await?;
        if i64::try_from(since.entry.ms).is_ok_and(|since| since < kept_since) {
            return Ok(Err(Trimmed));
        }
        entries.iter().for_each(take);
        return Ok(Ok(found));
    }
    loop {
        let entries = store.entries_from(from, AT_ONCE).await?;
        if from == EntryId::default() && entries.first().is_none_or(|first| first.id > since.entry) {
            return Ok(Err(Trimmed));
        }
        entries.iter().for_each(&mut take);
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
        let entries = store.entries_back(resource, from, AT_ONCE).await?;
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

/// The last events that are wanted, the oldest first: at most so many, of the last `MOST_RECENT` entries. The cursor is
/// that of the last event of all; `None` if nothing is recorded.
pub async fn newest(
    store: &Store,
    epoch: Epoch,
    limit: usize,
    is_wanted: impl Fn(&Event) -> bool,
) -> Result<(Vec<Arc<Recorded>>, Option<Cursor>), Failure> {
    let entries = match store.records_in_slots() {
        true => newest_of_slots(store).await?,
        false => newest_entries(store, epoch, limit, &is_wanted).await?,
    };
    let mut reading = Reading::new(epoch);
    let events: Vec<_> = entries.iter().rev().flat_map(|entry| reading.take(store, entry)).collect();
    let cursor = events.last().and_then(|event| event.cursor);
    let mut events: Vec<_> = events.into_iter().filter(|event| is_wanted(&event.event)).map(Arc::new).collect();
    Ok((events.split_off(events.len().saturating_sub(limit)), cursor))
}

/// The last entries of a Cluster, backwards.
async fn newest_of_slots(store: &Store) -> Result<Vec<Entry>, Failure> {
    let (mut entries, _) = store.entries_of_all_slots().await?;
    entries.reverse();
    entries.truncate(MOST_RECENT);
    Ok(entries)
}

/// The last entries of the only stream, backwards: about as many as have so many events that are wanted. All that is read
/// counts, also what is more than wanted: an end may follow from a grant of an earlier entry.
async fn newest_entries(
    store: &Store,
    epoch: Epoch,
    limit: usize,
    is_wanted: impl Fn(&Event) -> bool,
) -> Result<Vec<Entry>, Failure> {
    let (mut entries, mut wanted) = (Vec::new(), 0);
    while wanted < limit && entries.len() < MOST_RECENT {
        let from = entries.last().map(|entry: &Entry| before_that(entry.id));
        if from == Some(None) {
            break;
        }
        let earlier = store.all_entries_back(from.flatten(), AT_ONCE).await?;
        let is_last = earlier.len() < AT_ONCE;
        for entry in earlier {
            let events = Reading::new(epoch).take(store, &entry);
            wanted += events.iter().filter(|event| is_wanted(&event.event)).count();
            entries.push(entry);
        }
        if is_last {
            break;
        }
    }
    Ok(entries)
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
