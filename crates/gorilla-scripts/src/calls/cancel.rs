//! The call of `lua/cancel.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `cancel` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cancel<'a> {
    /// The id of the attempt.
    pub id: &'a str,
    /// The owner that the acquire named.
    pub owner: &'a str,
    /// The channel of its replica.
    pub channel: &'a str,
    /// The Idempotency-Key of the acquire, if it had one.
    pub request: Option<&'a str>,
    /// The share that the acquire wanted, if it wanted to share the lock: as [`Join::share`](super::Join::share).
    pub share: Option<&'a str>,
    /// Why it is undone: `unknown_outcome`, `hung_up`, `not_replicated` or `incomplete`.
    pub cause: &'a str,
}

/// What `cancel` replies, with the milliseconds for which the next waiter has the turn, if one was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "all three have the same field")]
pub enum CancelReply {
    /// Redis had granted the lock; it is free again.
    Released { turn: Option<u64> },
    /// Redis had not executed the acquire, or had queued it. If the acquire arrives within the window, it is refused.
    Marked { turn: Option<u64> },
    /// Redis had granted the lock, and a copy of the request was answered: its client holds the lock.
    Kept { turn: Option<u64> },
}

impl Call for Cancel<'_> {
    type Reply = CancelReply;

    const NAME: &'static str = "cancel";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.cancel
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        vec![
            Sibling::Queue,
            Sibling::Turn,
            Sibling::Holders,
            Sibling::Request(self.request.unwrap_or(self.id)),
            Sibling::Told,
        ]
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<CancelReply, Malformed> {
        let turn = reader.some_number()?;
        Ok(match outcome {
            "released" => CancelReply::Released { turn },
            "marked" => CancelReply::Marked { turn },
            "kept" => CancelReply::Kept { turn },
            other => return unexpected(other),
        })
    }
}
