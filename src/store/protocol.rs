//! Turns replies of scripts into values of the domain.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use gorilla_domain::{Group, Holder, Metadata, Once, Part, Share, Tenure};
use gorilla_scripts::{Call, Malformed, Reader};
use serde::de::IgnoredAny;

use super::error::Error;

/// Reads the reply to a call.
pub fn read<C: Call>(reply: Bytes) -> Result<C::Reply, Error> {
    Reader::open(reply).and_then(|(outcome, mut reader)| C::reply(&outcome, &mut reader)).map_err(Error::from)
}

/// The name of a request's record and its fingerprint, if the request may come again.
pub fn record(once: Option<&Once>) -> (Option<&str>, Option<&str>) {
    once.map(|once| (once.key.as_str(), once.fingerprint.as_str())).unzip()
}

/// A share as scripts have it.
pub fn share(share: Share) -> String {
    let limit = share.limit.map(|limit| limit.get().to_string()).unwrap_or_default();
    format!("*{}/{limit}", share.permits.get())
}

/// A part of a shared lock as the domain has it.
pub fn part(gorilla_scripts::Part { permits, limit, floor }: gorilla_scripts::Part) -> Part {
    Part { permits, limit, floor }
}

/// A group as the domain has it.
pub fn group(gorilla_scripts::Group { used, limit, holders }: gorilla_scripts::Group) -> Group {
    Group { used, limit, holders }
}

/// A holder as the domain has it.
pub fn holder(gorilla_scripts::Holder { owner, fence, ttl }: gorilla_scripts::Holder) -> Holder {
    Holder { owner, fence, ttl: Duration::from_millis(ttl) }
}

/// A tenure as the domain has it, without who took it. Fails if its metadata is not JSON.
pub fn tenure(tenure: gorilla_scripts::Tenure) -> Result<Tenure, Malformed> {
    let gorilla_scripts::Tenure { id, owner, metadata, fence, created, updated, expires, ttl, by: _ } = tenure;
    serde_json::from_str::<IgnoredAny>(&metadata)
        .map_err(|_| Malformed("a lock has metadata that is not JSON".into()))?;
    let (metadata, ttl) = (Metadata::from_stored(metadata), Duration::from_millis(ttl));
    let (created, updated, expires) = (time(created)?, time(updated)?, time(expires)?);
    Ok(Tenure { id, owner, metadata, fence, created, updated, expires, ttl })
}

/// A time from milliseconds since 1970.
pub fn time(since_1970: i64) -> Result<DateTime<Utc>, Malformed> {
    let time = DateTime::from_timestamp_millis(since_1970);
    time.ok_or_else(|| Malformed("a lock has a time that is in no calendar".into()))
}
