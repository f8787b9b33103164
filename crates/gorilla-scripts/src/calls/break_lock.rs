//! The call of `lua/break.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    grant::{Ended, Group, Holder},
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `break` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Break<'a> {
    /// The fence of the grant to end, if only that grant is meant.
    pub fence: Option<&'a str>,
    /// The Idempotency-Key, if there is one.
    pub request: Option<&'a str>,
    /// The fingerprint of the request, only with an Idempotency-Key.
    pub print: Option<&'a str>,
    /// How long the holder may keep the lock, in milliseconds; `None` to end it at once.
    pub grace: Option<u64>,
    /// The name of the identity that breaks the lock, if there is one.
    pub by: Option<&'a str>,
    /// Why, if somebody says so.
    pub reason: Option<&'a str>,
}

/// What `break` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BreakReply {
    /// The lock is free.
    Broken {
        /// The grant that was ended.
        ended: Ended,
        /// For how long the next waiter has the turn, in milliseconds, if there is one.
        turn: Option<u64>,
    },
    /// The holder may keep the lock for a while, and can't extend it.
    Breaking {
        /// The grant.
        ended: Ended,
        /// How long it lasts, in milliseconds.
        ttl: u64,
        /// After how many milliseconds a replica must look after the next waiter, if there is one.
        look_in: Option<u64>,
    },
    /// The same Idempotency-Key broke the lock before.
    Replayed {
        /// The grant.
        ended: Ended,
        /// How long it lasts, in milliseconds; 0 if it has ended.
        ttl: u64,
    },
    /// Nobody holds the lock.
    Missing,
    /// The lock is held under another grant than the request names.
    Changed(Holder),
    /// A group holds the lock, and `shared_break` decides.
    Shared,
    /// A group holds the lock, and the request names no fence.
    Unnamed(Group),
    /// The Idempotency-Key came before with another request.
    Reused,
}

impl Call for Break<'_> {
    type Reply = BreakReply;

    const NAME: &'static str = "break";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.break_lock
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        let request = self.request.map(Sibling::Request);
        [Sibling::Queue, Sibling::Turn].into_iter().chain(request).chain([Sibling::Broken]).collect()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<BreakReply, Malformed> {
        let ended =
            |reader: &mut Reader| Ok(Ended { id: reader.text()?, owner: reader.text()?, fence: reader.number()? });
        Ok(match outcome {
            "broken" => BreakReply::Broken { ended: ended(reader)?, turn: reader.some_number()? },
            "breaking" => {
                BreakReply::Breaking { ended: ended(reader)?, ttl: reader.number()?, look_in: reader.some_number()? }
            }
            "replayed" => BreakReply::Replayed { ended: ended(reader)?, ttl: reader.number()? },
            "missing" => BreakReply::Missing,
            "changed" => BreakReply::Changed(reader.holder()?),
            "shared" => BreakReply::Shared,
            "reused" => BreakReply::Reused,
            other => return unexpected(other),
        })
    }
}
