//! What the rest of the program knows of the recording, whatever Redis it is.

use std::{sync::Arc, time::Duration};

use fred::types::Resp3Frame;
use gorilla_domain::{
    Failure, ResourceName,
    event::{EntryId, Epoch, Missed},
};
use gorilla_scripts::{Expired, ExpiredReply, slot_of};

use super::{
    age::OLDEST,
    entry::{Entry, entries},
    listening::Listening,
    only::OnlyTail,
    slot_tail::{SlotTail, SlotsRead},
};
use crate::{settings::Record, store::base::Store};

/// How long the streams stay when nobody listens any more.
const KEPT: Duration = Duration::from_secs(120);
/// The same where events are always recorded, and how far back entries are kept then.
const KEPT_ALWAYS: Duration = Duration::from_secs(24 * 60 * 60);

/// Connections of their own, over which entries are read as they come.
pub enum Tail {
    /// To the server that has one stream for all locks.
    Only(OnlyTail),
    /// To all masters of a Cluster.
    Slots(Box<SlotTail>, Arc<Store>),
}

/// What was read.
pub enum Read {
    /// Entries in their order.
    Entries {
        /// At most as many as were asked for; in a Cluster all that there are.
        entries: Vec<Entry>,
        /// Whether there were no more.
        is_all: bool,
        /// In a Cluster, the time before which all was read (ms since 1970).
        until: Option<i64>,
    },
    /// In a Cluster: entries were dropped before they were read.
    Trimmed,
    /// In a Cluster: the clock of a master was set back, so that what is recorded now may come before what was told.
    /// Another epoch must begin.
    SetBack,
}

impl Store {
    /// When Redis records events.
    pub fn record(&self) -> Record {
        self.record
    }

    /// The resource that the key of a lock belongs to.
    pub fn resource_of(&self, lock: &str) -> Option<ResourceName> {
        ResourceName::parse(&self.keys.resource(lock)?).ok()
    }

    /// The key of the lock of a resource, as entries have it.
    pub fn lock_key(&self, resource: &ResourceName) -> String {
        self.keys.lock(resource)
    }

    /// Has Redis record events for a while. Says since when it has, and in which epoch. `ended` says why events may be lost,
    /// if the caller knows of a reason that Redis doesn't know.
    pub async fn listen(&self, ended: Option<Missed>) -> Result<Listening, Failure> {
        let is_always = self.record == Record::Always;
        let keep = if is_always { KEPT_ALWAYS } else { KEPT };
        let millis = |duration: Duration| duration.as_millis() as u64;
        match self.clustered {
            false => self.listen_to_only(millis(keep), is_always.then(|| millis(KEPT_ALWAYS))).await,
            true => self.listen_in_slots(millis(keep), if is_always { KEPT_ALWAYS } else { OLDEST }, ended).await,
        }
    }

    /// Tells that a lease has ended, if it has and nobody has told it.
    pub async fn tell_expired(&self, resource: &ResourceName, call: &Expired<'_>) -> Result<ExpiredReply, Failure> {
        Ok(self.run_uncounted(&self.keys.lock(resource), call).await?)
    }

    /// Which epoch the events of a lock belong to, and since when they are recorded (ms since 1970); `None` if they aren't.
    pub async fn recorded_since(&self, resource: &ResourceName) -> Result<Option<(Epoch, i64)>, Failure> {
        if !self.clustered {
            let (first, epoch) = (self.entries_from(EntryId::default(), 1).await?, self.present_epoch().await?);
            return Ok(epoch.zip(first.first().map(|first| first.id.ms as i64)));
        }
        let stream = self.stream_of(resource);
        let exists = self.link.command_at_key(&stream, "EXISTS", vec![stream.as_str().into()]).await?;
        let kept = self.epoch_kept().await?.filter(|_| matches!(exists, Resp3Frame::Number { data: 1, .. }));
        Ok(kept.map(|kept| (kept.epoch, kept.since)))
    }

    /// Entries of the recording that the events of a lock are in, up to the given one or to the last, backwards; at most so
    /// many.
    pub async fn entries_back(
        &self,
        resource: &ResourceName,
        last: Option<EntryId>,
        count: usize,
    ) -> Result<Vec<Entry>, Failure> {
        self.stream_back(&self.stream_of(resource), last, count).await
    }

    /// Entries of the recording up to the given one or to the last, backwards; at most so many. In a Cluster there is no such
    /// order of what is recorded later: `entries_of_all_slots`.
    pub async fn all_entries_back(&self, last: Option<EntryId>, count: usize) -> Result<Vec<Entry>, Failure> {
        self.stream_back(&self.keys.events(None), last, count).await
    }

    /// All that a Cluster has recorded, in its order, and since when nothing of it was dropped (ms since 1970).
    pub async fn entries_of_all_slots(&self) -> Result<(Vec<Entry>, i64), Failure> {
        let until = EntryId { ms: u64::try_from(self.lowest_clock().await?).unwrap_or(0), seq: 0 };
        let filled = self.sweep(None).await?.filled;
        let from = filled.into_iter().map(|(slot, _)| (slot, EntryId::default())).collect();
        let found = self.entries_of_slots(from).await?;
        let mut all: Vec<_> = found.into_iter().flat_map(|of_slot| of_slot.entries).collect();
        all.retain(|entry| entry.id < until);
        all.sort_by_key(|entry| (entry.id, entry.slot));
        let since = self.epoch_kept().await?.map_or(i64::MAX, |kept| kept.since);
        Ok((all, since))
    }

    /// Whether what happens to locks is recorded in a stream for each slot of a Cluster.
    pub fn records_in_slots(&self) -> bool {
        self.clustered
    }

    /// Opens connections for reads that wait; in a Cluster they read on from a position. An error is a part of a sentence.
    pub async fn tail(self: &Arc<Self>, from: EntryId) -> Result<Tail, String> {
        Ok(match self.clustered {
            false => Tail::Only(self.tail_of_only().await?),
            true => Tail::Slots(Box::new(SlotTail::open(self, from).await?), Arc::clone(self)),
        })
    }

    /// Which epoch the events belong to; `None` if nothing was recorded lately.
    pub async fn present_epoch(&self) -> Result<Option<Epoch>, Failure> {
        Ok(self.epoch_kept().await?.map(|kept| kept.epoch))
    }

    async fn stream_back(&self, stream: &str, last: Option<EntryId>, count: usize) -> Result<Vec<Entry>, Failure> {
        let last = last.map_or("+".into(), |last| last.to_string());
        let args = vec![stream.into(), last.into(), "-".into(), "COUNT".into(), (count as i64).into()];
        let slot = self.clustered.then(|| slot_of(stream));
        Ok(entries(self.link.command_at_key(stream, "XREVRANGE", args).await?, slot)?)
    }

    fn stream_of(&self, resource: &ResourceName) -> String {
        self.keys.events(self.clustered.then(|| slot_of(&self.keys.lock(resource))))
    }
}

impl Tail {
    /// The process of the server, or those of all masters of a Cluster.
    pub fn run(&self) -> &str {
        match self {
            Self::Only(tail) => &tail.run,
            Self::Slots(tail, _) => &tail.run,
        }
    }

    /// Redis was told again to record, and goes on with what it has recorded.
    pub fn go_on(&mut self, now: &Listening) {
        if let Self::Slots(tail, _) = self {
            tail.found(&now.filled);
        }
    }

    /// The next read begins with the first entry that is kept.
    pub fn rewind(&mut self, now: &Listening) {
        if let Self::Slots(tail, _) = self {
            tail.rewind(&now.filled);
        }
    }

    /// The entries behind the given one, at most so many; in a Cluster all that come next, in the order of all slots. Waits
    /// for the first of them for so long, but not for longer than a command may take.
    pub async fn read(&mut self, behind: EntryId, count: usize, wait: Duration) -> Result<Read, Failure> {
        match self {
            Self::Only(tail) => {
                let entries = tail.read(behind, count, wait).await?;
                Ok(Read::Entries { is_all: entries.len() < count, entries, until: None })
            }
            Self::Slots(tail, store) => Ok(match tail.read(store, wait).await? {
                SlotsRead::Entries(entries, until) => Read::Entries { entries, is_all: true, until: Some(until) },
                SlotsRead::Lacking => Read::Trimmed,
                SlotsRead::SetBack => Read::SetBack,
            }),
        }
    }
}
