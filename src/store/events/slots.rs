//! The recording of a Cluster: a stream for each slot, because the keys of a script must be in one slot. A **look** makes
//! the streams of all slots, keeps them, and decides the epoch: `lua/listen_slots.lua`, `lua/listen_cluster.lua`.

use std::time::{Duration, Instant};

use fred::types::{Resp3Frame, config::Server};
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use gorilla_domain::{
    Failure,
    event::{EntryId, Epoch, Missed},
};
use gorilla_scripts::{ListenCluster, ListenClusterReply, ListenSlots, ListenSlotsReply, Request};

use super::{
    entry::{Entry, entries, malformed},
    listening::Listening,
};
use crate::store::{
    base::Store,
    error::Error,
    link::{self, fitness},
    operations::time,
    protocol::read,
};

/// Slots that one command is about. Redis does nothing else meanwhile, for about a millisecond.
const IN_A_CALL: usize = 256;
/// Slots that are read at once.
const READ_AT_ONCE: usize = 64;
/// Entries that one command reads.
const PAGE: usize = 512;
/// A stream keeps about so many entries (`crates/gorilla-scripts/src/text.rs`), and never fewer.
const KEPT_OF_SLOT: usize = 20_000;
/// How long a look waits for those of other replicas.
const PATIENCE: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(20);

/// What a look finds.
#[derive(Default)]
pub struct Swept {
    /// How many streams were not there.
    made: u64,
    /// How many entries there are.
    entries: u64,
    /// The slots that have entries, each with the last one.
    pub filled: Vec<(u16, EntryId)>,
}

/// What was recorded behind a position in the stream of a slot.
pub struct OfSlot {
    /// In their order.
    pub entries: Vec<Entry>,
    /// Whether there are so many that earlier ones may have been dropped.
    pub may_lack_some: bool,
}

/// What is kept of the epoch.
pub struct EpochKept {
    /// Which one it is.
    pub epoch: Epoch,
    /// In a Cluster, since when nothing was dropped, in milliseconds since 1970.
    pub since: i64,
}

impl Store {
    /// Has Redis keep the streams of all slots for so long, and drop entries that are older than this (both in
    /// milliseconds). `ended` says why events may be lost, if the caller knows.
    pub(super) async fn listen_in_slots(
        &self,
        keep: u64,
        oldest: Duration,
        ended: Option<Missed>,
    ) -> Result<Listening, Failure> {
        let _alone = self.looks.lock().await;
        let (by, age) = (self.replica(), self.entries_age.within(oldest));
        let mut call = ListenCluster { by, masters: None, made: 0, keep, age, ended: ended.map(Missed::as_str) };
        let begun = Instant::now();
        let floor = loop {
            match self.ask_epoch(&call).await? {
                ListenClusterReply::Begun { floor } => break floor,
                ListenClusterReply::Busy { .. } if begun.elapsed() < PATIENCE => tokio::time::sleep(AGAIN).await,
                _ => return Err(Failure::Refused("another replica looks at the events".into())),
            }
        };
        let swept = self.sweep(Some((keep, floor))).await?;
        self.entries_age.saw(swept.entries, age);
        let (runs, masters): (Vec<_>, Vec<_>) = self.masters().await?.into_iter().unzip();
        (call.masters, call.made) = (Some(masters.as_slice()), swept.made);
        let ListenClusterReply::Listening { epoch, since, now, before, why } = self.ask_epoch(&call).await? else {
            return Err(malformed("an epoch that is not one"));
        };
        Ok(Listening {
            epoch: epoch.parse().map_err(|_| malformed("an epoch that is not one"))?,
            first: EntryId { ms: u64::try_from(since).unwrap_or(0), seq: 0 },
            last: EntryId { ms: u64::MAX, seq: u64::MAX },
            now,
            run: runs.join(" "),
            before: before.parse().ok(),
            why,
            filled: swept.filled,
        })
    }

    async fn ask_epoch(&self, call: &ListenCluster<'_>) -> Result<ListenClusterReply, Failure> {
        let request = Request::new(&self.scripts, Some(self.keys.events_epoch()), call);
        Ok(read::<ListenCluster>(self.link.call_uncounted(request).await.map_err(Error::from)?)?)
    }

    /// Looks at the streams of all slots. With `keep` it makes them and keeps them for so long, and drops entries before
    /// `floor`; otherwise it changes nothing.
    pub(super) async fn sweep(&self, keep: Option<(u64, i64)>) -> Result<Swept, Failure> {
        let nodes = self.link.slots()?;
        let found = try_join_all(nodes.iter().map(|(node, slots)| self.sweep_node(node, slots, keep))).await?;
        let mut all = Swept::default();
        for Swept { made, entries, filled } in found {
            all.made += made;
            all.entries += entries;
            all.filled.extend(filled);
        }
        Ok(all)
    }

    async fn sweep_node(&self, node: &Server, slots: &[u16], keep: Option<(u64, i64)>) -> Result<Swept, Failure> {
        let mut all = Swept::default();
        for slots in slots.chunks(IN_A_CALL) {
            let elsewhere = self.sweep_some(Some(node), slots, keep, &mut all).await.map_err(Failure::from)?;
            // These have moved since this replica has heard of it, or are moving.
            for place in elsewhere {
                match self.sweep_some(None, &slots[place..=place], keep, &mut all).await {
                    Ok(_) => {}
                    // A stream that isn't there afterwards is told as a loss by the next look.
                    Err(Error::Link(error)) if error.is_moving() => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(all)
    }

    /// Looks at some streams: at a node, or at the node that has the only one. Returns which of them are elsewhere.
    async fn sweep_some(
        &self,
        node: Option<&Server>,
        slots: &[u16],
        keep: Option<(u64, i64)>,
        all: &mut Swept,
    ) -> Result<Vec<usize>, Error> {
        let streams: Vec<_> = slots.iter().map(|slot| self.keys.events(Some(*slot))).collect();
        let (keep, floor) = keep.unzip();
        let call = ListenSlots { streams: &streams, keep, floor };
        let key = node.is_none().then(|| streams[0].clone());
        let request = Request::new(&self.scripts, key, &call);
        match read::<ListenSlots>(self.link.call_at(node, request).await?)? {
            ListenSlotsReply::Slots { made, entries, elsewhere, filled } => {
                all.made += made;
                all.entries += entries;
                for (place, last) in filled {
                    if let (Some(slot), Ok(last)) = (slots.get(place), last.parse()) {
                        all.filled.push((*slot, last));
                    }
                }
                Ok(elsewhere.into_iter().filter(|place| *place < slots.len()).collect())
            }
            ListenSlotsReply::Denied { why } => Err(link::Error::answered(&format!("NOPERM {why}")).into()),
        }
    }

    /// The masters in a steady order: of each its process, and what `listen_cluster` wants to know of it.
    async fn masters(&self) -> Result<Vec<(String, String)>, Failure> {
        let ask = async |node: Option<Server>| {
            let info = self.link.command(node, "INFO", Vec::new()).await?;
            fitness::replication(&info).map_err(Failure::Unreachable)
        };
        let mut all = try_join_all(self.link.nodes()?.into_iter().map(ask)).await?;
        all.sort();
        Ok(all)
    }

    /// The lowest clock of all masters, in milliseconds since 1970: what is recorded later, at whichever of them, has an id
    /// that is not lower.
    pub(super) async fn lowest_clock(&self) -> Result<i64, Failure> {
        lowest(self.link.nodes()?.into_iter().map(|node| self.link.command(node, "TIME", Vec::new()))).await
    }

    /// What was recorded behind an entry in the streams of some slots.
    pub(super) async fn entries_of_slots(&self, behind: Vec<(u16, EntryId)>) -> Result<Vec<OfSlot>, Failure> {
        let reads = behind.into_iter().map(|(slot, behind)| self.entries_of_slot(slot, behind));
        stream::iter(reads).buffer_unordered(READ_AT_ONCE).try_collect().await
    }

    async fn entries_of_slot(&self, slot: u16, behind: EntryId) -> Result<OfSlot, Failure> {
        let (key, mut from, mut all) = (self.keys.events(Some(slot)), behind, Vec::new());
        loop {
            let first = format!("({from}");
            let args = vec![key.as_str().into(), first.into(), "+".into(), "COUNT".into(), (PAGE as i64).into()];
            let page = entries(self.link.command_at_key(&key, "XRANGE", args).await?, Some(slot))?;
            let is_last = page.len() < PAGE;
            from = page.last().map_or(from, |last| last.id);
            all.extend(page);
            if is_last {
                return Ok(OfSlot { may_lack_some: all.len() >= KEPT_OF_SLOT, entries: all });
            }
        }
    }

    /// What is kept of the epoch; nothing if nobody has listened lately.
    pub(super) async fn epoch_kept(&self) -> Result<Option<EpochKept>, Failure> {
        let key = self.keys.events_epoch();
        let args = [key.as_str(), "epoch", "since", "floor"].map(Into::into).into();
        let Resp3Frame::Array { data, .. } = self.link.command_at_key(&key, "HMGET", args).await? else {
            return Ok(None);
        };
        let text = |place: usize| match data.get(place) {
            Some(Resp3Frame::BlobString { data, .. }) => std::str::from_utf8(data).ok(),
            _ => None,
        };
        let number = |place| text(place).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
        let epoch = text(0).and_then(|epoch| epoch.parse().ok());
        Ok(epoch.map(|epoch| EpochKept { epoch, since: number(1).max(number(2)) }))
    }
}

/// The lowest of the clocks of masters, in milliseconds since 1970, from their replies to TIME.
pub async fn lowest(
    clocks: impl IntoIterator<Item = impl Future<Output = Result<Resp3Frame, link::Error>>>,
) -> Result<i64, Failure> {
    let mut lowest = i64::MAX;
    for reply in try_join_all(clocks).await? {
        lowest = lowest.min(time::read(&reply)?.timestamp_millis());
    }
    Ok(lowest)
}
