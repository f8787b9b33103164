//! The clock of Redis, and the name of this replica in it.

use chrono::{DateTime, Utc};
use fred::types::Resp3Frame;
use gorilla_domain::Failure;

use crate::store::{base::Store, link};

impl Store {
    /// The time of Redis; in a Cluster that of any master.
    pub async fn time(&self) -> Result<DateTime<Utc>, Failure> {
        Ok(read(&self.link.command(None, "TIME", Vec::new()).await?)?)
    }

    /// The id of this replica, as long as it runs: the last part of its channel.
    pub fn replica(&self) -> &str {
        self.channel.rsplit(':').next().unwrap_or_default()
    }
}

/// The time in a reply to TIME.
pub fn read(reply: &Resp3Frame) -> Result<DateTime<Utc>, link::Error> {
    time(reply).ok_or(link::Error::Unexpected("Redis did not reply to TIME with a time"))
}

/// The reply is two texts: seconds since 1970, and microseconds.
fn time(reply: &Resp3Frame) -> Option<DateTime<Utc>> {
    let Resp3Frame::Array { data, .. } = reply else { return None };
    let number = |frame: &Resp3Frame| match frame {
        Resp3Frame::BlobString { data, .. } => std::str::from_utf8(data).ok()?.parse::<u32>().ok(),
        _ => None,
    };
    let [seconds, micros] = data.as_slice() else { return None };
    DateTime::from_timestamp(number(seconds)?.into(), number(micros)?.checked_mul(1000)?)
}
