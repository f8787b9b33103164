//! The call of `lua/shared_break.lua`.

use std::sync::Arc;

use serde::Serialize;

use super::break_lock::{Break, BreakReply};
use crate::{
    call::Call,
    reply::{Malformed, Reader},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `shared_break` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub struct SharedBreak<'a>(pub Break<'a>);

impl Call for SharedBreak<'_> {
    type Reply = BreakReply;

    const NAME: &'static str = "shared_break";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.shared_break
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        let own = [Sibling::Queue, Sibling::Turn, Sibling::Holders];
        own.into_iter().chain(self.0.request.map(Sibling::Request)).chain([Sibling::Told, Sibling::Broken]).collect()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<BreakReply, Malformed> {
        match outcome {
            "unnamed" => Ok(BreakReply::Unnamed(reader.group()?)),
            other => Break::reply(other, reader),
        }
    }
}
