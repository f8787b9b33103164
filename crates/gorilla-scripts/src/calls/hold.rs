//! The call of `lua/hold.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `hold` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Hold<'a> {
    /// The id of the grant.
    pub id: &'a str,
    /// In milliseconds from now.
    pub lease: u64,
    /// The Idempotency-Key, if there is one.
    pub request: Option<&'a str>,
    /// The fingerprint of the request, only with an Idempotency-Key.
    pub print: Option<&'a str>,
    /// Whether to commit.
    pub commit: bool,
}

/// What `hold` replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldReply {
    /// The part is renewed or committed.
    Held(Held),
    /// Another attempt of the same request has committed the part before.
    Committed(Held),
    /// The grant has ended.
    Lost,
    /// Redis may have lost that the grant has ended, so nothing is committed for so many milliseconds.
    Recovering {
        /// In milliseconds.
        left: u64,
    },
}

/// How long a part is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// When the lease ends, in milliseconds since 1970.
    pub ends: i64,
    /// How long it lasts, in milliseconds.
    pub ttl: u64,
    /// When the lock was last updated, in milliseconds since 1970.
    pub updated: i64,
}

impl Call for Hold<'_> {
    type Reply = HoldReply;

    const NAME: &'static str = "hold";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.hold
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        [Sibling::Fence, Sibling::Queue, Sibling::Holders]
            .into_iter()
            .chain(self.request.map(Sibling::Request))
            .chain([Sibling::Told])
            .collect()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<HoldReply, Malformed> {
        let held =
            |reader: &mut Reader| Ok(Held { ends: reader.number()?, ttl: reader.number()?, updated: reader.number()? });
        Ok(match outcome {
            "held" => HoldReply::Held(held(reader)?),
            "committed" => HoldReply::Committed(held(reader)?),
            "lost" => HoldReply::Lost,
            "recovering" => HoldReply::Recovering { left: reader.number()? },
            other => return unexpected(other),
        })
    }
}
