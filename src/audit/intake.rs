//! What the use cases hand records to.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    record::{Event, Record},
    shared::Shared,
    writer::{Line, Writer},
};
use crate::{metrics::Metrics, reload::Times, settings::OnFailure};

/// How long the answer to a break waits for the disk.
const PATIENCE: Duration = Duration::from_secs(1);
/// At the end, how long the last records may take.
const LAST_PATIENCE: Duration = Duration::from_secs(5);
/// Records that have room in memory, beside one for each connection. docs/reference/audit.md says it.
const ROOM: usize = 16_384;

/// Takes records, and has a thread of its own write them.
pub struct Audit {
    lines: mpsc::Sender<Line>,
    shared: Arc<Shared>,
    refuses: bool,
    stop: mpsc::Sender<oneshot::Sender<()>>,
}

/// Room for a record.
#[derive(Debug)]
pub struct Slot(mpsc::OwnedPermit<Line>);

/// A record on its way to the disk.
#[derive(Debug)]
pub struct Writing(Option<oneshot::Receiver<()>>);

impl Writing {
    /// Waits until the disk has the record, but not for long. What it tells was done, so it changes no answer if the disk
    /// has it not.
    pub async fn done(self) {
        if let Some(is_done) = self.0 {
            let _ = timeout(PATIENCE, is_done).await;
        }
    }
}

/// There is no room for a record: the file can't be written, or as many records wait as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl Audit {
    /// Begins to write to a file. If it can't be opened, it is tried again. An error is a sentence. `times` says when to
    /// look whether the file was rotated.
    pub fn begin(
        file: &Path,
        on_failure: OnFailure,
        max_connections: usize,
        times: Times,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, String> {
        let (lines, taken) = mpsc::channel(ROOM + max_connections);
        let (stop, stopped) = mpsc::channel(1);
        let shared = Arc::new(Shared::default());
        let writer = Writer::new(file.into(), taken, stopped, Arc::clone(&shared), metrics);
        writer.begin(times).map_err(|error| format!("can't start the thread of the audit file: {error}."))?;
        Ok(Arc::new(Self { lines, shared, refuses: on_failure == OnFailure::Refuse, stop }))
    }

    /// Whether what needs a record is refused now.
    pub fn refuses(&self) -> bool {
        self.refuses && (self.shared.is_failing.load(Relaxed) || self.lines.is_closed())
    }

    /// Room for a record of what is about to be done; nothing if none is kept for it. An error if it must not be done
    /// without.
    pub fn reserve(&self) -> Result<Option<Slot>, NoRoom> {
        match self.refuses {
            false => Ok(None),
            true if self.refuses() => Err(NoRoom),
            true => self.lines.clone().try_reserve_owned().map(|permit| Some(Slot(permit))).map_err(|_| NoRoom),
        }
    }

    /// Takes a record. Without a slot and without room the record is dropped and counted.
    pub fn write(&self, slot: Option<Slot>, record: &Record) {
        self.send(slot, line(record, None));
    }

    /// Takes a record, whose writing can be waited for.
    pub fn write_through(&self, slot: Option<Slot>, record: &Record) -> Writing {
        let (done, is_done) = oneshot::channel();
        self.send(slot, line(record, Some(done)));
        // While the file can't be written, the record is in memory.
        Writing(Some(is_done).filter(|_| !self.shared.is_failing.load(Relaxed)))
    }

    /// Counts a refusal. Those of a second and a caller are one record.
    pub fn refused(&self, record: &Record) {
        self.shared.tally.add(record);
    }

    /// The access file has new content, which is in force.
    pub fn reloaded(&self, generation: u64) {
        self.write(None, &Record { generation: Some(generation), ..Record::new(Event::Reload, "in_force") });
    }

    /// Writes the last records.
    pub async fn end(&self) {
        let (done, is_done) = oneshot::channel();
        if self.stop.send(done).await.is_ok() {
            // A disk that hangs must not keep a replica from ending.
            let _ = timeout(LAST_PATIENCE, is_done).await;
        }
    }

    fn send(&self, slot: Option<Slot>, line: Line) {
        match slot {
            Some(Slot(permit)) => drop(permit.send(line)),
            None => {
                if self.lines.try_send(line).is_err() {
                    self.shared.lost.fetch_add(1, Relaxed);
                }
            }
        }
    }
}

fn line(record: &Record, done: Option<oneshot::Sender<()>>) -> Line {
    Line { at: SystemTime::now(), event: record.event, record: record.json(), done }
}
