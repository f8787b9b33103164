//! What replicas tell of themselves: the stream `gorilla:pulse`.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use fred::types::Resp3Frame;
use gorilla_domain::Failure;

use crate::store::{base::Store, error::Error, link, protocol};

/// About how many entries Redis keeps.
const KEPT: &str = "5000";
/// How long Redis keeps them after the last, in milliseconds.
const KEPT_FOR: &str = "7200000";
/// How many entries are read at once.
const AT_ONCE: &str = "500";
/// The field that has what is told.
const FIELD: &str = "pulse";

/// Something that a replica told of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The id that Redis gave it: `<ms since 1970>-<number>`.
    pub id: String,
    /// What was told.
    pub text: String,
}

impl Told {
    /// When it was told, in milliseconds since 1970, by the clock of Redis.
    pub fn at(&self) -> i64 {
        let millis = self.id.split('-').next().and_then(|millis| millis.parse().ok());
        millis.unwrap_or_default()
    }
}

/// Why a replica could not tell of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untold {
    /// The user of Redis may not write the stream. Says what Redis said.
    NoRight(String),
    /// It may succeed later.
    Now(String),
}

impl Store {
    /// The name of this replica, which the places of its waiters have too.
    pub fn replica(&self) -> &str {
        self.channel.rsplit(':').next().unwrap_or_default()
    }

    /// Tells all replicas something of this replica. Returns how long Redis took to answer.
    pub async fn tell(&self, text: String) -> Result<Duration, Untold> {
        let key = self.keys.pulse();
        let command =
            |name, args: Vec<&str>| self.link.command_at_key(&key, name, args.into_iter().map(Into::into).collect());
        let untold = |error: link::Error| match error.is_no_right() {
            true => Untold::NoRight(error.to_string()),
            false => Untold::Now(error.to_string()),
        };
        let begun = Instant::now();
        command("XADD", vec![&key, "MAXLEN", "~", KEPT, "*", FIELD, &text]).await.map_err(untold)?;
        let took = begun.elapsed();
        command("PEXPIRE", vec![&key, KEPT_FOR]).await.map_err(untold)?;
        Ok(took)
    }

    /// What replicas told after the entry with this id, or since a time (ms since 1970), the oldest first.
    pub async fn told_since(&self, after: &str) -> Result<Vec<Told>, Failure> {
        let key = self.keys.pulse();
        let mut all: Vec<Told> = Vec::new();
        loop {
            let from = all.last().map_or_else(|| after.to_string(), |last| format!("({}", last.id));
            let args = [key.as_str(), &from, "+", "COUNT", AT_ONCE].map(Into::into).into();
            let entries = entries(&self.link.command_at_key(&key, "XRANGE", args).await?)?;
            if entries.is_empty() {
                return Ok(all);
            }
            all.extend(entries);
        }
    }

    /// The time of Redis. In a Cluster that of the node which has the stream.
    pub async fn time(&self) -> Result<DateTime<Utc>, Failure> {
        let reply = self.link.command_at_key(&self.keys.pulse(), "TIME", vec![]).await?;
        let malformed = link::Error::Unexpected("Redis did not reply to TIME with a time");
        let parts = match &reply {
            Resp3Frame::Array { data, .. } => data.iter().map(whole).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let Some([seconds, micros]) = parts.as_deref() else { return Err(malformed.into()) };
        Ok(protocol::time(seconds * 1000 + micros / 1000).map_err(Error::from)?)
    }
}

fn text(frame: &Resp3Frame) -> Option<&str> {
    match frame {
        Resp3Frame::BlobString { data, .. } => std::str::from_utf8(data).ok(),
        _ => None,
    }
}

fn whole(frame: &Resp3Frame) -> Option<i64> {
    text(frame)?.parse().ok()
}

/// The reply of XRANGE. An entry without the field, and one that is not text, is none of Gorilla's.
fn entries(frame: &Resp3Frame) -> Result<Vec<Told>, link::Error> {
    let malformed = || link::Error::Unexpected("Redis did not reply to XRANGE with entries");
    let Resp3Frame::Array { data, .. } = frame else { return Err(malformed()) };
    let mut all = Vec::with_capacity(data.len());
    for entry in data {
        let Resp3Frame::Array { data: parts, .. } = entry else { return Err(malformed()) };
        let [id, Resp3Frame::Array { data: fields, .. }] = parts.as_slice() else { return Err(malformed()) };
        let id = text(id).ok_or_else(malformed)?.to_string();
        let told = match fields.as_slice() {
            [name, value, ..] if text(name) == Some(FIELD) => text(value).unwrap_or_default(),
            _ => "",
        };
        all.push(Told { id, text: told.into() });
    }
    Ok(all)
}
