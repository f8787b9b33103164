//! The call of `lua/confirm.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `confirm` is called with. The key that it writes to stands behind the lock.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Confirm<'a> {
    /// The field of the hash of the lock.
    pub field: &'a str,
    /// The value of that field up to its first space; empty if there must be no such field.
    pub value: &'a str,
    /// Whether the operation gave the field this value (true) or took it away.
    pub given: bool,
}

/// What `confirm` replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmReply {
    /// The server has the effect.
    There,
    /// The server doesn't have the effect.
    Lost,
}

impl Call for Confirm<'_> {
    type Reply = ConfirmReply;

    const NAME: &'static str = "confirm";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.confirm
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        Vec::new()
    }

    fn reply(outcome: &str, _: &mut Reader) -> Result<ConfirmReply, Malformed> {
        match outcome {
            "there" => Ok(ConfirmReply::There),
            "lost" => Ok(ConfirmReply::Lost),
            other => unexpected(other),
        }
    }
}
