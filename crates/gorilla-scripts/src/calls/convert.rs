//! The call of `lua/convert.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    grant::{Group, Holder, Part},
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `convert` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Convert<'a> {
    /// The current token.
    pub token: &'a str,
    /// The id of the new grant.
    pub id: &'a str,
    /// The token of the new grant.
    pub new_token: &'a str,
    /// Metadata that replace those of the holder, if any.
    pub metadata: Option<&'a str>,
    /// In milliseconds.
    pub lease: u64,
    /// The share, as [`Join::share`](super::Join::share); `None` to have the lock alone.
    pub share: Option<&'a str>,
    /// The Idempotency-Key, if there is one.
    pub request: Option<&'a str>,
    /// The fingerprint of the request, only with an Idempotency-Key.
    pub print: Option<&'a str>,
    /// The identity that converts the lock, if one is known.
    pub by: Option<&'a str>,
}

/// What `convert` replies. Remaining times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are named as in the header of the script")]
pub enum ConvertReply {
    /// The caller shares the lock from now on.
    Shares { fence: u64, created: i64, owner: String, metadata: String, turn: Option<u64>, part: Part },
    /// The caller has the lock alone from now on.
    Alone { fence: u64, created: i64, owner: String, metadata: String },
    /// The same Idempotency-Key converted the lock before.
    Replayed { token: String, ttl: u64 },
    /// Nobody holds the lock.
    Missing,
    /// The lock is held under another token.
    Mismatch(Holder),
    /// The caller is not the only holder.
    Crowd(Holder, Group),
    /// Another limit is in force.
    Limited { limit: Option<u32> },
    /// Somebody breaks the lock, and has left the holder a grace.
    Breaking { ttl: u64 },
    /// The lease asked for would end before the current lease.
    Shorter { ttl: u64 },
    /// Redis may have lost a grant.
    Recovering { left: u64 },
    /// The same Idempotency-Key converted the lock before, and Redis may have lost the end of that grant.
    Unsettled { left: u64 },
    /// The same Idempotency-Key converted the lock before, and that lease has ended.
    Gone,
    /// The Idempotency-Key came before with another request.
    Reused,
}

impl Call for Convert<'_> {
    type Reply = ConvertReply;

    const NAME: &'static str = "convert";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.convert
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        let own = [Sibling::Fence, Sibling::Queue, Sibling::Turn, Sibling::Holders, Sibling::Limit];
        own.into_iter().chain(self.request.map(Sibling::Request)).chain([Sibling::Told]).collect()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<ConvertReply, Malformed> {
        Ok(match outcome {
            "shares" => ConvertReply::Shares {
                fence: reader.number()?,
                created: reader.number()?,
                owner: reader.text()?,
                metadata: reader.text()?,
                turn: reader.some_number()?,
                part: reader.part()?,
            },
            "alone" => ConvertReply::Alone {
                fence: reader.number()?,
                created: reader.number()?,
                owner: reader.text()?,
                metadata: reader.text()?,
            },
            "replayed" => ConvertReply::Replayed { token: reader.text()?, ttl: reader.number()? },
            "missing" => ConvertReply::Missing,
            "mismatch" => ConvertReply::Mismatch(reader.holder()?),
            "crowd" => ConvertReply::Crowd(reader.holder()?, reader.group()?),
            "limited" => ConvertReply::Limited { limit: reader.limit()? },
            "breaking" => ConvertReply::Breaking { ttl: reader.number()? },
            "shorter" => ConvertReply::Shorter { ttl: reader.number()? },
            "recovering" => ConvertReply::Recovering { left: reader.number()? },
            "unsettled" => ConvertReply::Unsettled { left: reader.number()? },
            "gone" => ConvertReply::Gone,
            "reused" => ConvertReply::Reused,
            other => return unexpected(other),
        })
    }
}
