//! The call of `lua/release.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `release` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Release<'a> {
    /// The current token.
    pub token: &'a str,
    /// The Idempotency-Key, if there is one.
    pub request: Option<&'a str>,
    /// The fingerprint of the request, only with an Idempotency-Key.
    pub print: Option<&'a str>,
}

/// What `release` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseReply {
    /// The lock is free. The next waiter has the turn for so many milliseconds, if there is one.
    Released {
        /// In milliseconds.
        turn: Option<u64>,
        /// When the lock was granted, in milliseconds since 1970.
        created: i64,
    },
    /// The same Idempotency-Key released the lock before.
    Replayed,
    /// Nobody holds the lock.
    Missing,
    /// The lock is held under another token.
    Mismatch,
    /// The Idempotency-Key came before with another request.
    Reused,
}

impl Call for Release<'_> {
    type Reply = ReleaseReply;

    const NAME: &'static str = "release";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.release
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        [Sibling::Queue, Sibling::Turn].into_iter().chain(self.request.map(Sibling::Request)).collect()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<ReleaseReply, Malformed> {
        Ok(match outcome {
            "released" => ReleaseReply::Released { turn: reader.some_number()?, created: reader.number()? },
            "replayed" => ReleaseReply::Replayed,
            "missing" => ReleaseReply::Missing,
            "mismatch" => ReleaseReply::Mismatch,
            "reused" => ReleaseReply::Reused,
            other => return unexpected(other),
        })
    }
}
