//! The call of `lua/take_all.lua`.

use std::sync::Arc;

use serde::Serialize;

use super::AcquireReply;
use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `take_all` is called with. The locks of the parts behind the first are keys of the request.
#[derive(Clone, Debug, Serialize)]
pub struct TakeAll<'a> {
    /// The ids of the attempts, one for each part.
    pub ids: Vec<&'a str>,
    /// The tokens that the locks get.
    pub tokens: Vec<&'a str>,
    /// A label for people.
    pub owner: &'a str,
    /// The metadata, a JSON list.
    pub metadata: &'a str,
    /// The length of the leases in milliseconds.
    pub lease: u64,
    /// The Idempotency-Key, if there is one.
    pub request: Option<&'a str>,
    /// The fingerprint of the request, only with an Idempotency-Key.
    pub print: Option<&'a str>,
    /// The channel whose messages reach this replica.
    pub channel: &'a str,
    /// The identity that takes the locks, if one is known.
    pub by: Option<&'a str>,
}

/// What `take_all` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakeAllReply {
    /// The caller holds all locks from now on.
    Granted {
        /// When, in milliseconds since 1970.
        created: i64,
        /// One for each part.
        fences: Vec<u64>,
    },
    /// Nothing was granted, because of this part.
    Blocked {
        /// Its index.
        part: usize,
        /// What is in the way, as `try` tells it.
        reply: AcquireReply,
    },
    /// Nothing was granted, and `try` has to decide the parts.
    Unsure,
}

impl Call for TakeAll<'_> {
    type Reply = TakeAllReply;

    const NAME: &'static str = "take_all";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.take_all
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        // Those of the first part. Only a Cluster has to be told, and there this script doesn't run.
        let request = self.request.or(self.ids.first().copied()).unwrap_or_default();
        vec![Sibling::Fence, Sibling::Queue, Sibling::Turn, Sibling::Request(request)]
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<TakeAllReply, Malformed> {
        Ok(match outcome {
            "granted" => TakeAllReply::Granted { created: reader.number()?, fences: reader.numbers()? },
            "blocked" => {
                let part = reader.number::<usize>()?.saturating_sub(1);
                let outcome = reader.text()?;
                TakeAllReply::Blocked { part, reply: AcquireReply::read(&outcome, reader)? }
            }
            "unsure" => TakeAllReply::Unsure,
            other => return unexpected(other),
        })
    }
}
