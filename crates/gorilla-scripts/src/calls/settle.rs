//! The call of `lua/settle.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `settle` is called with. The key of the incarnation stands in the place of a lock.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Settle {}

/// What `settle` replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// How long grants wait, in milliseconds.
    pub left: u64,
    /// Whether the incarnation was seen for the first time.
    pub is_new: bool,
}

impl Call for Settle {
    type Reply = Settled;

    const NAME: &'static str = "settle";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.settle
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        Vec::new()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<Settled, Malformed> {
        match outcome {
            "settled" => Ok(Settled { left: reader.number()?, is_new: reader.number::<u8>()? == 1 }),
            other => unexpected(other),
        }
    }
}
