//! Reads what scripts record in a Cluster, from the streams of all slots, as if it were one recording.
//!
//! A connection to each master hears which streams have new entries (`TELL` in `crates/gorilla-scripts`), and tells
//! the clock of the master. A message comes over the same connection before the reply to a command that Redis executed
//! later. So after all masters have told their clocks, each stream that had an entry by then is known; and what has an id
//! below the lowest of these clocks is complete when these streams have been read. That much is told, in the order of ids
//! and slots. Every replica that does so tells the same in the same order, however the clocks of the masters differ.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    time::Duration,
};

use fred::types::{ConnectHandle, Message};
use futures_util::future::{select_all, try_join_all};
use gorilla_domain::{Failure, event::EntryId};
use gorilla_scripts::Keys;
use tokio::{
    sync::broadcast::{
        Receiver,
        error::{RecvError, TryRecvError},
    },
    time::{sleep, timeout},
};

use super::{
    entry::Entry,
    slots::{OfSlot, lowest},
};
use crate::store::{base::Store, link::Connection};

/// How long a read waits for a message, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// From a message to the read: so that the clock that is asked then is behind the entry, and that entries of the same
/// moment are read together.
const GATHER: Duration = Duration::from_millis(2);
/// The same while entries wait until the lowest clock is behind them, at most.
const MOST_PENDING: Duration = Duration::from_millis(50);
/// The message by which a connection finds out that it hears.
const HELLO: &str = "hello";
/// How long that takes, at most.
const HEARS_WITHIN: Duration = Duration::from_secs(5);

/// A connection to a master.
struct Master {
    connection: Connection,
    router: ConnectHandle,
    messages: Receiver<Message>,
    /// The process of the server.
    run: String,
}

impl Drop for Master {
    fn drop(&mut self) {
        self.router.abort();
    }
}

/// Where the reader stands in the streams of all slots.
pub struct SlotTail {
    masters: Vec<Master>,
    keys: Keys,
    /// The processes of all masters.
    pub run: String,
    /// Up to where the streams of slots were read; others up to `from`.
    positions: HashMap<u16, EntryId>,
    from: EntryId,
    /// The slots whose streams may have more.
    behind: HashSet<u16>,
    /// What was read and can't be told yet.
    pending: BTreeMap<(EntryId, u16), Entry>,
    /// All with an id below this was told, in milliseconds since 1970.
    until: i64,
}

/// What was read.
pub enum SlotsRead {
    /// Entries in their order, and what comes next has an id of this time or a later one (ms since 1970).
    Entries(Vec<Entry>, i64),
    /// Entries were dropped before they were read.
    Lacking,
    /// The clock of a master was set back, so that what is recorded now may come before what was told.
    SetBack,
}

impl SlotTail {
    /// Begins to hear, and to read from a position on. An error is a part of a sentence.
    pub async fn open(store: &Store, from: EntryId) -> Result<Self, String> {
        let (keys, channel) = (store.keys.clone(), store.keys.events_channel());
        let nodes = store.link.nodes().map_err(|error| error.to_string())?;
        let mut masters = try_join_all(nodes.into_iter().map(async |node| {
            let (connection, router, run) = store.link.beside(node).await?;
            let messages = connection.messages();
            let mut master = Master { connection, router, messages, run };
            master.hear(&channel).await?;
            Ok::<_, String>(master)
        }))
        .await?;
        masters.sort_by(|one, other| one.run.cmp(&other.run));
        let run = masters.iter().map(|master| master.run.as_str()).collect::<Vec<_>>().join(" ");
        // What was recorded before the connections heard.
        let filled = store.sweep(None).await.map_err(|failure| format!("{failure:?}"))?.filled;
        let mut tail = Self {
            masters,
            keys,
            run,
            positions: HashMap::new(),
            from,
            behind: HashSet::new(),
            pending: BTreeMap::new(),
            until: i64::try_from(from.ms).unwrap_or(0),
        };
        tail.found(&filled);
        Ok(tail)
    }

    /// A look has found these slots with their last entries.
    pub fn found(&mut self, filled: &[(u16, EntryId)]) {
        let more = filled.iter().filter(|(slot, last)| *last > self.position(*slot)).map(|(slot, _)| *slot);
        let more: Vec<_> = more.collect();
        self.behind.extend(more);
    }

    /// Reads from the beginning: a look has found these slots.
    pub fn rewind(&mut self, filled: &[(u16, EntryId)]) {
        (self.from, self.until) = (EntryId::default(), 0);
        self.positions.clear();
        self.pending.clear();
        self.found(filled);
    }

    /// What comes next. Waits for so long until something was recorded, but not for long.
    pub async fn read(&mut self, store: &Store, wait: Duration) -> Result<SlotsRead, Failure> {
        if self.behind.is_empty() && self.pending.is_empty() {
            self.wait(wait.min(LONGEST_WAIT)).await?;
        }
        if let Some(((first, _), _)) = self.pending.first_key_value() {
            // It can be told when the lowest clock is behind it. Others may come meanwhile.
            let early = first.ms.saturating_sub(u64::try_from(self.until).unwrap_or(0));
            sleep(Duration::from_millis(early).clamp(GATHER, MOST_PENDING)).await;
        } else if !self.behind.is_empty() {
            sleep(GATHER).await;
        }
        let until = self.lowest_clock().await?;
        self.drain()?;
        if until < self.until {
            return Ok(SlotsRead::SetBack);
        }
        let behind: Vec<_> = mem::take(&mut self.behind).into_iter().map(|slot| (slot, self.position(slot))).collect();
        for OfSlot { entries, may_lack_some } in store.entries_of_slots(behind).await? {
            // A read from the beginning takes what there is.
            let lacks_nothing = self.until == 0 && self.from == EntryId::default();
            if may_lack_some && !lacks_nothing {
                return Ok(SlotsRead::Lacking);
            }
            for entry in entries {
                if let Some(slot) = entry.slot {
                    self.positions.insert(slot, entry.id);
                    self.pending.insert((entry.id, slot), entry);
                }
            }
        }
        self.until = until;
        let next = EntryId { ms: u64::try_from(until).unwrap_or(0), seq: 0 };
        let later = self.pending.split_off(&(next, 0));
        let entries = mem::replace(&mut self.pending, later).into_values().collect();
        Ok(SlotsRead::Entries(entries, until))
    }

    fn position(&self, slot: u16) -> EntryId {
        self.positions.get(&slot).copied().unwrap_or(self.from)
    }

    /// Waits for the first message.
    async fn wait(&mut self, wait: Duration) -> Result<(), Failure> {
        if wait.is_zero() {
            return Ok(());
        }
        let heard = {
            let first = select_all(self.masters.iter_mut().map(|master| Box::pin(master.messages.recv())));
            timeout(wait, first).await.map(|(heard, _, _)| heard)
        };
        match heard {
            Err(_) => {}
            Ok(Ok(message)) => self.note(&message),
            Ok(Err(error)) => return Err(unheard(&error)),
        }
        Ok(())
    }

    /// Takes the messages that have come.
    fn drain(&mut self) -> Result<(), Failure> {
        let mut all = Vec::new();
        for master in &mut self.masters {
            loop {
                match master.messages.try_recv() {
                    Ok(message) => all.push(message),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Lagged(missed)) => return Err(unheard(&RecvError::Lagged(missed))),
                    Err(TryRecvError::Closed) => return Err(unheard(&RecvError::Closed)),
                }
            }
        }
        all.iter().for_each(|message| self.note(message));
        Ok(())
    }

    fn note(&mut self, message: &Message) {
        let text = message.value.as_str().unwrap_or_default();
        self.behind.extend(self.keys.slot_of_events(&text));
    }

    async fn lowest_clock(&self) -> Result<i64, Failure> {
        let clocks = self.masters.iter().map(|master| master.connection.send(None, "TIME", Vec::new()));
        lowest(clocks).await
    }
}

impl Master {
    /// Subscribes, and waits for a message, because fred doesn't wait for the reply to SUBSCRIBE.
    async fn hear(&mut self, channel: &str) -> Result<(), String> {
        self.connection.subscribe(channel).await?;
        let hear = async {
            let hello = vec![channel.into(), HELLO.into()];
            self.connection.send(None, "PUBLISH", hello).await.map_err(|error| error.to_string())?;
            self.messages.recv().await.map(drop).map_err(|_| "Redis closed the connection".to_string())
        };
        timeout(HEARS_WITHIN, hear).await.unwrap_or_else(|_| Err(format!("no message came over {channel}")))
    }
}

fn unheard(error: &RecvError) -> Failure {
    Failure::Unreachable(format!("messages of a master of the cluster were lost: {error}"))
}
