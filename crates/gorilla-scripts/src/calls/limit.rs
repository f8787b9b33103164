//! The call of `lua/limit.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `limit` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Limit<'a> {
    /// `pin` or `unpin`; `None` to change nothing.
    pub change: Option<&'a str>,
    /// To pin: how many permits all holders of the shared lock may have.
    pub limit: Option<u32>,
}

/// What `limit` replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitReply {
    /// The limit in force, if there is one.
    pub limit: Option<u32>,
    /// Whether it is pinned.
    pub is_pinned: bool,
}

impl Call for Limit<'_> {
    type Reply = LimitReply;

    const NAME: &'static str = "limit";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.limit
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        vec![Sibling::Queue, Sibling::Turn, Sibling::Holders, Sibling::Limit, Sibling::Told]
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<LimitReply, Malformed> {
        match outcome {
            "limit" => Ok(LimitReply { limit: reader.limit()?, is_pinned: reader.number::<u8>()? == 1 }),
            other => unexpected(other),
        }
    }
}
