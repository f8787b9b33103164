//! The call of `lua/extend.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    grant::{Grant, Holder},
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `extend` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Extend<'a> {
    /// The current token.
    pub token: &'a str,
    /// The token that replaces it: the current token itself, if the caller keeps it.
    pub new_token: &'a str,
    /// In milliseconds.
    pub lease: u64,
    /// A JSON list that replaces the metadata, if it is to change.
    pub metadata: Option<&'a str>,
    /// The Idempotency-Key, if there is one.
    pub request: Option<&'a str>,
    /// The fingerprint of the request, only with an Idempotency-Key.
    pub print: Option<&'a str>,
}

/// What `extend` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtendReply {
    /// The lease is renewed.
    Extended(Grant),
    /// The same Idempotency-Key renewed the lease before.
    Replayed(Grant),
    /// Nobody holds the lock.
    Missing,
    /// The lock is held under another token.
    Mismatch(Holder),
    /// Somebody breaks the lock, and has left its holder a grace.
    Breaking {
        /// In milliseconds.
        ttl: u64,
    },
    /// The lease asked for would end before the current lease, which lasts for so many milliseconds more.
    Shorter {
        /// In milliseconds.
        ttl: u64,
    },
    /// The same Idempotency-Key renewed the lease before, and that lease has ended.
    Gone,
    /// The Idempotency-Key came before with another request.
    Reused,
}

impl Call for Extend<'_> {
    type Reply = ExtendReply;

    const NAME: &'static str = "extend";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.extend
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        [Sibling::Fence].into_iter().chain(self.request.map(Sibling::Request)).collect()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<ExtendReply, Malformed> {
        let grant = |reader: &mut Reader| Ok(Grant { token: reader.text()?, part: None, tenure: reader.tenure()? });
        Ok(match outcome {
            "extended" => ExtendReply::Extended(grant(reader)?),
            "replayed" => ExtendReply::Replayed(grant(reader)?),
            "missing" => ExtendReply::Missing,
            "mismatch" => ExtendReply::Mismatch(reader.holder()?),
            "breaking" => ExtendReply::Breaking { ttl: reader.number()? },
            "shorter" => ExtendReply::Shorter { ttl: reader.number()? },
            "gone" => ExtendReply::Gone,
            "reused" => ExtendReply::Reused,
            other => return unexpected(other),
        })
    }
}
