//! The reader of a replica: reads what is recorded, for all listeners, as long as there are any.

use std::{
    collections::HashSet,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future::join_all;
use gorilla_domain::{
    Failure,
    event::{Cursor, EntryId, Epoch, Missed},
};
use gorilla_scripts::{Expired, ExpiredReply, Settlement};
use tokio::{sync::mpsc, time::Instant};
use tracing::{debug, warn};

use super::{
    board::{Board, Frame, State},
    fold::{Due, Fold},
    line::time,
    reading::{AT_ONCE, Reading},
    seeds::{Seed, find},
};
use crate::store::{Entry, Listening, Read, Store, Tail};

/// Between two times that Redis is told that somebody listens.
const REFRESH: Duration = Duration::from_secs(10);
/// How long the reader goes on without listeners, because the same clients may come back.
const LINGER: Duration = Duration::from_secs(30);
/// From a failure to the next attempt.
const RETRY: Duration = Duration::from_millis(200);
/// Grants that Redis is asked about at once.
const MOST_ASKED: usize = 64;
/// After so many questions in vain a grant is forgotten.
const MOST_IN_VAIN: u8 = 5;

/// What a reader needs.
#[derive(Clone)]
pub struct Source {
    /// Where events are recorded.
    pub store: Arc<Store>,
    /// Where they go.
    pub board: Arc<Board>,
    /// How many listen.
    pub listeners: Arc<AtomicUsize>,
    /// Whether there is a reader.
    pub is_read: Arc<Mutex<bool>>,
}

impl Source {
    /// Has a reader read, unless there is one.
    pub fn begin(&self) {
        let mut is_read = self.is_read.lock().unwrap_or_else(PoisonError::into_inner);
        if !mem::replace(&mut *is_read, true) {
            tokio::spawn(read(self.clone()));
        }
    }

    /// Ends the reader, if nobody listens. Somebody who begins to listen at this moment is seen, or begins another reader.
    fn end(&self) -> bool {
        let mut is_read = self.is_read.lock().unwrap_or_else(PoisonError::into_inner);
        if self.listeners.load(Relaxed) > 0 {
            return false;
        }
        self.board.change(State::clear);
        *is_read = false;
        true
    }
}

/// A reader at work.
struct Reader {
    source: Source,
    /// What was read of the present epoch, and up to which entry.
    reading: Option<(Reading, Epoch)>,
    position: EntryId,
    /// The clock of Redis (ms since 1970) at a moment, at least.
    clock: (i64, Instant),
    /// Grants that are held, as a walk through all locks finds them; and the fences of those that have ended since it began.
    seeds: Option<mpsc::Receiver<Vec<Seed>>>,
    ended_seeds: HashSet<(String, u64)>,
    /// Why the epoch must end, if the reader has found that out.
    ended: Option<Missed>,
}

/// Why the reader reads no more over a connection.
enum Stopped {
    /// Nobody listens any more.
    Alone,
    /// Redis can't be read.
    Failed(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Reads until nobody has listened for a while.
async fn read(source: Source) {
    let mut reader = Reader {
        source,
        reading: None,
        position: EntryId::default(),
        clock: (0, Instant::now()),
        seeds: None,
        ended_seeds: HashSet::new(),
        ended: None,
    };
    let mut alone_since = None;
    loop {
        match reader.follow(&mut alone_since).await {
            Stopped::Alone => return,
            Stopped::Failed(failure) => {
                debug!(?failure, "the events can't be read");
                reader.source.board.change(|state| state.trouble = Some(failure));
            }
        }
        if reader.is_alone(&mut alone_since) {
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
}

impl Reader {
    /// Whether nobody has listened for a while.
    fn is_alone(&self, since: &mut Option<Instant>) -> bool {
        if self.source.listeners.load(Relaxed) > 0 {
            *since = None;
            return false;
        }
        since.get_or_insert_with(Instant::now).elapsed() >= LINGER && self.source.end()
    }

    /// Reads over one connection, until it fails or nobody listens.
    async fn follow(&mut self, alone_since: &mut Option<Instant>) -> Stopped {
        let stopped: Result<(), Stopped> = async {
            let mut tail = None;
            let mut refreshed = None::<Instant>;
            loop {
                if self.is_alone(alone_since) {
                    return Err(Stopped::Alone);
                }
                if refreshed.is_none_or(|at| at.elapsed() >= REFRESH) {
                    let listening = self.listen().await?;
                    if !self.source.store.records_in_slots() {
                        self.clock = (listening.now, Instant::now());
                    }
                    // The store may have found another master since the connection was opened.
                    let tail = match &mut tail {
                        Some(tail) if Tail::run(tail) == listening.run => tail,
                        tail => tail.insert(self.open(&listening).await?),
                    };
                    self.check(tail, &listening).await?;
                    refreshed = Some(Instant::now());
                }
                let Some(tail) = &mut tail else { continue };
                if !self.read_on(tail).await? {
                    refreshed = None;
                }
            }
        }
        .await;
        match stopped {
            Err(stopped) => stopped,
            Ok(()) => Stopped::Alone,
        }
    }

    /// Has Redis record on. If the reader has found out that events may be lost, another epoch begins, unless it has.
    async fn listen(&mut self) -> Result<Listening, Failure> {
        let listening = self.source.store.listen(None).await?;
        let is_same = self.reading.as_ref().is_some_and(|(_, epoch)| *epoch == listening.epoch);
        match self.ended.take() {
            Some(why) if is_same => self.source.store.listen(Some(why)).await,
            _ => Ok(listening),
        }
    }

    async fn open(&self, listening: &Listening) -> Result<Tail, Failure> {
        let tail = self.source.store.tail(self.position).await.map_err(Failure::Unreachable)?;
        match tail.run() == listening.run {
            true => Ok(tail),
            false => Err(Failure::Unreachable("two connections to Redis have reached two servers".into())),
        }
    }

    /// Looks whether what is recorded follows on what was read. If it doesn't, says so to the listeners, and begins anew.
    async fn check(&mut self, tail: &mut Tail, now: &Listening) -> Result<(), Failure> {
        let missed = match &self.reading {
            None => None,
            Some((_, epoch)) if *epoch != now.epoch => {
                // If there were two epochs since, nobody knows why the first of them ended.
                Some(before(now).filter(|(before, _)| before == epoch).map_or(Missed::Restarted, |(_, why)| why))
            }
            Some(_) if now.first > self.position => Some(Missed::Trimmed),
            Some(_) if now.last < self.position => Some(Missed::Restarted),
            Some(_) => {
                tail.go_on(now);
                let before = before(now);
                self.tell(|state| (state.recorded_since, state.before) = (time(now.first.ms as i64), before));
                return Ok(());
            }
        };
        if let Some(why) = missed {
            warn!(reason = why.as_str(), "events are missing: listeners are told so");
        }
        self.begin(tail, now, missed).await
    }

    /// Reads all that is recorded.
    async fn begin(&mut self, tail: &mut Tail, now: &Listening, missed: Option<Missed>) -> Result<(), Failure> {
        let mut reading = Reading::new(now.epoch);
        let mut frames = Vec::new();
        (self.position, self.reading) = (EntryId::default(), None);
        tail.rewind(now);
        let position = loop {
            let (entries, is_all, until) = match tail.read(self.position, AT_ONCE, Duration::ZERO).await? {
                Read::Entries { entries, is_all, until } => (entries, is_all, until),
                Read::Trimmed | Read::SetBack => {
                    return Err(Failure::Refused("what was recorded can't be read".into()));
                }
            };
            for entry in &entries {
                frames.extend(
                    reading.take(&self.source.store, entry).into_iter().map(|event| Frame::Event(Arc::new(event))),
                );
            }
            let position = self.advance(now.epoch, &entries, until);
            if is_all {
                break position;
            }
        };
        let since = time(now.first.ms as i64);
        self.tell(|state| {
            match missed {
                // What came since is not told: it may follow on something that is missing.
                Some(why) => {
                    state.push(Frame::Missed(why, position));
                    state.begin_epoch(position);
                }
                None => {
                    let begins = Cursor { epoch: now.epoch, entry: now.first, slot: None, index: 0, derived: Some(0) };
                    state.begin_epoch(begins);
                    frames.into_iter().for_each(|frame| state.push(frame));
                }
            }
            (state.position, state.recorded_since, state.before) = (Some(position), since, before(now));
        });
        debug!(epoch = %now.epoch, first = %now.first, last = %self.position, "reading events");
        self.reading = Some((reading, now.epoch));
        self.ended_seeds.clear();
        self.seeds = Some(find(&self.source.store));
        Ok(())
    }

    /// Goes to where the reader stands after a read.
    fn advance(&mut self, epoch: Epoch, entries: &[Entry], until: Option<i64>) -> Cursor {
        match until {
            None => {
                self.position = entries.last().map_or(self.position, |last| last.id);
                Cursor::behind(epoch, self.position)
            }
            // No other time is as low as the clocks of all masters.
            Some(until) => {
                self.clock = (until, Instant::now());
                let ms = u64::try_from(until).unwrap_or(0);
                self.position = EntryId { ms, seq: 0 };
                Cursor::at(epoch, ms)
            }
        }
    }

    /// Reads what comes next, or waits for it; and asks about the leases that should have ended. Says whether the reader can
    /// go on; if not, it must look whether what is recorded follows on what was read.
    async fn read_on(&mut self, tail: &mut Tail) -> Result<bool, Failure> {
        let Some((reading, epoch)) = &self.reading else { return Ok(true) };
        let epoch = *epoch;
        let before = self.now();
        let until_due = reading.fold.next_due().map_or(i64::MAX, |due| due - before);
        let wait = Duration::from_millis(u64::try_from(until_due).unwrap_or(0));
        let (entries, is_all, until) = match tail.read(self.position, AT_ONCE, wait).await? {
            Read::Entries { entries, is_all, until } => (entries, is_all, until),
            Read::Trimmed => return self.begin_behind_gap(tail).await,
            Read::SetBack => {
                self.ended = Some(Missed::Restarted);
                return Ok(false);
            }
        };
        // Nothing was recorded for a while, and another replica has found that first.
        if entries.iter().any(|entry| entry.begun.is_some_and(|begun| begun != epoch)) {
            return Ok(false);
        }
        if !is_all {
            // So much at once that entries may have been dropped before they were read.
            let first = self.source.store.entries_from(EntryId::default(), 1).await?;
            if first.first().is_some_and(|first| first.id > self.position) {
                return self.begin_behind_gap(tail).await;
            }
        }
        if !entries.is_empty() || until.is_some() {
            let position = self.advance(epoch, &entries, until);
            self.take(&entries, position);
        }
        self.take_seeds();
        // All that was recorded before this time was read, and so whatever could have kept a lease from ending.
        if is_all {
            self.tell_ends(before).await?;
        }
        Ok(true)
    }

    /// Begins anew, because entries were dropped before they were read. Says that the reader can go on.
    async fn begin_behind_gap(&mut self, tail: &mut Tail) -> Result<bool, Failure> {
        let listening = self.source.store.listen(None).await?;
        self.begin(tail, &listening, Some(Missed::Trimmed)).await?;
        Ok(true)
    }

    /// Tells what was read, up to this position.
    fn take(&mut self, entries: &[Entry], position: Cursor) {
        let Some((reading, _)) = &mut self.reading else { return };
        let mut frames = Vec::new();
        for entry in entries {
            for told in reading.take(&self.source.store, entry) {
                if self.seeds.is_some()
                    && told.event.kind().is_end()
                    && let Some(fence) = told.event.fence
                {
                    self.ended_seeds.insert((told.event.resource.as_str().into(), fence));
                }
                frames.push(Frame::Event(Arc::new(told)));
            }
        }
        self.tell(|state| {
            frames.into_iter().for_each(|frame| state.push(frame));
            state.position = Some(position);
        });
    }

    /// Follows the grants that were found, unless they have ended since.
    fn take_seeds(&mut self) {
        let (Some(seeds), Some((reading, _))) = (&mut self.seeds, &mut self.reading) else { return };
        loop {
            match seeds.try_recv() {
                Ok(found) => {
                    for Seed { resource, grant } in found {
                        if !self.ended_seeds.contains(&(resource.as_str().to_string(), grant.fence)) {
                            reading.fold.found(&resource, grant);
                        }
                    }
                }
                Err(mpsc::error::TryRecvError::Empty) => return,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    self.seeds = None;
                    self.ended_seeds.clear();
                    return;
                }
            }
        }
    }

    /// Asks Redis about the leases that should have ended by this time, and has it record those that have.
    async fn tell_ends(&mut self, now: i64) -> Result<(), Failure> {
        let Some((reading, _)) = &mut self.reading else { return Ok(()) };
        loop {
            let due = reading.fold.due(now, MOST_ASKED);
            if due.is_empty() {
                return Ok(());
            }
            let replies = join_all(due.iter().map(|due| ask(&self.source.store, due))).await;
            for (due, reply) in due.iter().zip(replies) {
                settle(&mut reading.fold, due, reply?, now);
            }
        }
    }

    /// The clock of Redis (ms since 1970), at least.
    fn now(&self) -> i64 {
        let (now, at) = self.clock;
        now + at.elapsed().as_millis() as i64
    }

    /// Changes the board, as a reader that can read.
    fn tell(&self, change: impl FnOnce(&mut State)) {
        let is_full = self.reading.as_ref().is_some_and(|(reading, _)| reading.fold.is_full());
        let changes = |state: &mut State| {
            (state.trouble, state.expiries_are_late) = (None, is_full);
            change(state);
        };
        self.source.board.change(changes);
    }
}

/// The epoch before the present one, and why it ended.
fn before(now: &Listening) -> Option<(Epoch, Missed)> {
    now.before.zip(Missed::ALL.into_iter().find(|why| why.as_str() == now.why))
}

async fn ask(store: &Store, due: &Due) -> Result<ExpiredReply, Failure> {
    let Due { resource, grant, latest } = due;
    let (fence, latest, floor) =
        (grant.fence.to_string(), latest.to_string(), grant.floor.map(|floor| floor.to_string()));
    let (kind, by, reason) = match &grant.settled {
        None => ("expired", None, None),
        Some(Settlement::Released) => ("released", None, None),
        Some(Settlement::Broken { by, reason }) => ("broken", by.as_deref(), reason.as_deref()),
    };
    let call = Expired {
        id: &grant.id,
        owner: &grant.owner,
        fence: &fence,
        created: grant.created,
        ended: grant.ends,
        latest: &latest,
        floor: floor.as_deref(),
        kind,
        by,
        reason,
    };
    store.tell_expired(resource, &call).await
}

fn settle(fold: &mut Fold, due: &Due, reply: ExpiredReply, now: i64) {
    match reply {
        ExpiredReply::Held { ttl } => fold.lasts(&due.resource, due.grant.fence, now + ttl as i64),
        // What ended it is in the stream, or it was not recorded.
        ExpiredReply::Ended | ExpiredReply::Told | ExpiredReply::Superseded => {
            fold.asked(&due.resource, due.grant.fence, MOST_IN_VAIN);
        }
    }
}
