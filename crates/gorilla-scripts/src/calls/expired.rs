//! The call of `lua/expired.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `expired` is called with. Times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Expired<'a> {
    /// The id of the tenure.
    pub id: &'a str,
    /// The label of its holder.
    pub owner: &'a str,
    /// Its fence.
    pub fence: &'a str,
    /// When it was granted, if that is known.
    pub created: Option<i64>,
    /// When its lease ended, as the replica has read.
    pub ends: i64,
    /// The last fence of the lock that the replica has read of.
    pub latest: &'a str,
    /// The fence of the first grant of the group, if it was a holder of a shared lock.
    pub floor: Option<&'a str>,
    /// How it ends: `expired`; `released` or `broken` if that was settled before.
    pub kind: &'a str,
    /// The name of the identity that broke the lock, if there is one.
    pub by: Option<&'a str>,
    /// Why it was broken, if somebody said so.
    pub reason: Option<&'a str>,
}

/// What `expired` replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiredReply {
    /// It was told with this call.
    Ended,
    /// It was told before.
    Told,
    /// The lease lasts for so many milliseconds.
    Held {
        /// In milliseconds.
        ttl: u64,
    },
    /// There was a grant since that the replica has not read of.
    Superseded,
}

impl Call for Expired<'_> {
    type Reply = ExpiredReply;

    const NAME: &'static str = "expired";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.expired
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        vec![Sibling::Fence, Sibling::Holders, Sibling::Told]
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<ExpiredReply, Malformed> {
        Ok(match outcome {
            "ended" => ExpiredReply::Ended,
            "told" => ExpiredReply::Told,
            "held" => ExpiredReply::Held { ttl: reader.number()? },
            "superseded" => ExpiredReply::Superseded,
            other => return unexpected(other),
        })
    }
}
