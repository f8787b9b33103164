//! The call of `lua/wake.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `wake` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Wake {}

impl Call for Wake {
    /// For how long the next waiter has the turn, in milliseconds, if there is one.
    type Reply = Option<u64>;

    const NAME: &'static str = "wake";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.wake
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        vec![Sibling::Queue, Sibling::Turn, Sibling::Holders, Sibling::Told]
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<Option<u64>, Malformed> {
        match outcome {
            "woken" => reader.some_number(),
            other => unexpected(other),
        }
    }
}
