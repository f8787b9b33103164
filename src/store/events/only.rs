//! The recording of a Redis that has one stream for all locks: `lua/listen.lua`.

use std::time::Duration;

use fred::types::{ConnectHandle, Resp3Frame, Value};
use gorilla_domain::{Failure, event::EntryId};
use gorilla_scripts::{Listen, Request};

use super::{
    entry::{Entry, MALFORMED, entries, malformed},
    listening::Listening,
};
use crate::store::{base::Store, error::Error, link::Connection, protocol::read};

/// How long a read waits for the next entry, at most.
const LONGEST_BLOCK: Duration = Duration::from_secs(1);

/// A connection of its own, on which reads wait for entries.
pub struct OnlyTail {
    connection: Connection,
    router: ConnectHandle,
    stream: String,
    block: Duration,
    /// The process of the server.
    pub run: String,
}

impl Drop for OnlyTail {
    fn drop(&mut self) {
        self.router.abort();
    }
}

impl Store {
    /// Has Redis keep the stream for so long, and drop entries that are older than this (both in milliseconds).
    pub(super) async fn listen_to_only(&self, keep: u64, age: Option<u64>) -> Result<Listening, Failure> {
        let call = Listen { keep, age };
        let request = Request::new(&self.scripts, Some(self.keys.events(None)), &call);
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
            filled: Vec::new(),
        })
    }

    /// Entries from the given one on, in their order; at most so many.
    pub async fn entries_from(&self, first: EntryId, count: usize) -> Result<Vec<Entry>, Failure> {
        let (stream, first) = (self.keys.events(None), first.to_string());
        let args = vec![stream.into(), first.into(), "+".into(), "COUNT".into(), (count as i64).into()];
        Ok(entries(self.link.command(None, "XRANGE", args).await?, None)?)
    }

    /// Opens a connection for reads that wait. An error is a part of a sentence.
    pub(super) async fn tail_of_only(&self) -> Result<OnlyTail, String> {
        let (connection, router, run) = self.link.beside(None).await?;
        // A read must not take longer than a command may.
        let block = LONGEST_BLOCK.min(self.command_timeout / 2).max(Duration::from_millis(1));
        Ok(OnlyTail { connection, router, stream: self.keys.events(None), block, run })
    }
}

impl OnlyTail {
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
            Resp3Frame::Map { data, .. } => data.into_values().next().map(|frame| entries(frame, None)),
            _ => None,
        };
        Ok(entries.ok_or(MALFORMED)??)
    }
}
