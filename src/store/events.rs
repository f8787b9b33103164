//! What the scripts have recorded: has Redis record it (`lua/listen.lua`), reads it, and tells ends of leases that nobody
//! else tells (`lua/expired.lua`).

use std::time::Duration;

use bytes::Bytes;
use fred::types::{ConnectHandle, Resp3Frame, Value};
use gorilla_domain::{
    Failure, ResourceName,
    event::{EntryId, Epoch},
};
use gorilla_scripts::{Expired, ExpiredReply, Listen, Request};

use super::{
    base::Store,
    error::Error,
    link::{self, Connection},
    protocol::read,
};
use crate::settings::Record;

/// How long the stream stays when nobody listens any more.
const KEPT: Duration = Duration::from_secs(120);
/// The same where events are always recorded, and how far back entries are kept then.
const KEPT_ALWAYS: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a read waits for the next entry, at most.
const LONGEST_BLOCK: Duration = Duration::from_secs(1);

/// An entry of the recording.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// The changes that it has: `gorilla_scripts::read_noted`.
    pub noted: Bytes,
    /// The epoch that begins with it, if the stream was made anew.
    pub begun: Option<Epoch>,
}

/// What Redis records from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Which epoch the events belong to.
    pub epoch: Epoch,
    /// The first entry that is kept.
    pub first: EntryId,
    /// The last entry.
    pub last: EntryId,
    /// The clock of Redis, in milliseconds since 1970.
    pub now: i64,
    /// The process of the server.
    pub run: String,
    /// The epoch before, if there was one.
    pub before: Option<Epoch>,
    /// The word for why that ended, empty if there was none.
    pub why: String,
}

/// A connection of its own, on which reads wait for entries.
pub struct Tail {
    connection: Connection,
    router: ConnectHandle,
    stream: String,
    block: Duration,
    run: String,
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.router.abort();
    }
}

impl Store {
    /// When Redis records events: never in a Cluster.
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

    /// Has Redis record events for a while. Says since which entry it has, and in which epoch.
    pub async fn listen(&self) -> Result<Listening, Failure> {
        let is_always = self.record == Record::Always;
        let keep = if is_always { KEPT_ALWAYS } else { KEPT };
        let millis = |duration: Duration| duration.as_millis() as u64;
        let call = Listen { keep: millis(keep), age: is_always.then(|| millis(KEPT_ALWAYS)) };
        let request = Request::new(&self.scripts, Some(self.keys.events()), &call);
        let request = request.and(Some(self.keys.events_epoch()));
        let reply = read::<Listen>(self.link.call_uncounted(request).await.map_err(Error::from)?)?;
        let id = |text: &str| text.parse().map_err(|_| malformed("an id that is not an id of an entry"));
        Ok(Listening {
            epoch: reply.epoch.parse().map_err(|_| malformed("an epoch that is not one"))?,
            first: id(&reply.first)?,
            last: id(&reply.last)?,
            now: reply.now,
            run: reply.run,
            before: reply.before.parse().ok(),
            why: reply.why,
        })
    }

    /// Tells that a lease has ended, if it has and nobody has told it.
    pub async fn tell_expired(&self, resource: &ResourceName, call: &Expired<'_>) -> Result<ExpiredReply, Failure> {
        Ok(self.run_uncounted(&self.keys.lock(resource), call).await?)
    }

    /// Which epoch the events belong to; `None` if nothing was ever recorded.
    pub async fn epoch(&self) -> Result<Option<Epoch>, Failure> {
        let args = vec![self.keys.events_epoch().into(), "epoch".into()];
        Ok(match self.link.command(None, "HGET", args).await? {
            Resp3Frame::BlobString { data, .. } => std::str::from_utf8(&data).ok().and_then(|text| text.parse().ok()),
            _ => None,
        })
    }

    /// Entries from the given one on, in their order; at most so many.
    pub async fn entries_from(&self, first: EntryId, count: usize) -> Result<Vec<Entry>, Failure> {
        self.entries("XRANGE", &first.to_string(), "+", count).await
    }

    /// Entries up to the given one or to the last, backwards; at most so many.
    pub async fn entries_back(&self, last: Option<EntryId>, count: usize) -> Result<Vec<Entry>, Failure> {
        let last = last.map_or("+".into(), |last| last.to_string());
        self.entries("XREVRANGE", &last, "-", count).await
    }

    async fn entries(&self, command: &'static str, from: &str, to: &str, count: usize) -> Result<Vec<Entry>, Failure> {
        let args = vec![self.keys.events().into(), from.into(), to.into(), "COUNT".into(), (count as i64).into()];
        Ok(entries(self.link.command(None, command, args).await?)?)
    }

    /// Opens a connection for reads that wait. An error is a part of a sentence.
    pub async fn tail(&self) -> Result<Tail, String> {
        let (connection, router, run) = self.link.beside().await?;
        // A read must not take longer than a command may.
        let block = LONGEST_BLOCK.min(self.command_timeout / 2).max(Duration::from_millis(1));
        Ok(Tail { connection, router, stream: self.keys.events(), block, run })
    }
}

impl Tail {
    /// The process of the server.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The entries behind the given one, at most so many. Waits for the first of them for so long, but not for longer than
    /// a command may take.
    pub async fn read(&self, behind: EntryId, count: usize, wait: Duration) -> Result<Vec<Entry>, Failure> {
        let mut args: Vec<Value> = vec!["COUNT".into(), (count as i64).into()];
        let wait = wait.min(self.block).as_millis() as i64;
        // Redis takes 0 for "without end".
        if wait > 0 {
            args.extend(["BLOCK".into(), wait.into()]);
        }
        args.extend(["STREAMS".into(), self.stream.as_str().into(), behind.to_string().into()]);
        let frame = self.connection.send(None, "XREAD", args).await?;
        let entries = match frame {
            Resp3Frame::Null => return Ok(Vec::new()),
            Resp3Frame::Map { data, .. } => data.into_values().next().map(entries),
            _ => None,
        };
        Ok(entries.ok_or(MALFORMED)??)
    }
}

const MALFORMED: link::Error = link::Error::Unexpected("Redis did not reply with entries of a stream");

/// Reads a list of entries.
fn entries(frame: Resp3Frame) -> Result<Vec<Entry>, link::Error> {
    let Resp3Frame::Array { data, .. } = frame else { return Err(MALFORMED) };
    data.into_iter().map(|frame| entry(frame).ok_or(MALFORMED)).collect()
}

fn entry(frame: Resp3Frame) -> Option<Entry> {
    let Resp3Frame::Array { data, .. } = frame else { return None };
    let [Resp3Frame::BlobString { data: id, .. }, Resp3Frame::Array { data: fields, .. }] = data.as_slice() else {
        return None;
    };
    let id = std::str::from_utf8(id).ok()?.parse().ok()?;
    // An entry without events is only a position.
    let (mut noted, mut begun) = (Bytes::new(), None);
    for pair in fields.chunks_exact(2) {
        if let [Resp3Frame::BlobString { data: name, .. }, Resp3Frame::BlobString { data: value, .. }] = pair {
            match &name[..] {
                b"e" => noted = value.clone(),
                b"begun" => begun = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
                _ => {}
            }
        }
    }
    Some(Entry { id, noted, begun })
}

fn malformed(what: &str) -> Failure {
    Failure::Broken(format!("the stream of events has {what}; was its key changed by hand?"))
}
