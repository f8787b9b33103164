//! The call of `lua/past_break.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `past_break` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PastBreak<'a> {
    /// The token that was refused.
    pub token: &'a str,
}

/// What `past_break` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PastBreakReply {
    /// Somebody broke the grant with this token.
    Broken {
        /// When, in milliseconds since 1970.
        at: i64,
        /// The name of the identity that did it, if there is one.
        by: Option<String>,
        /// Why, if somebody said so.
        reason: Option<String>,
    },
    /// Nobody did lately.
    Unknown,
}

impl Call for PastBreak<'_> {
    type Reply = PastBreakReply;

    const NAME: &'static str = "past_break";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.past_break
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        vec![Sibling::Broken]
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<PastBreakReply, Malformed> {
        match outcome {
            "broken" => Ok(PastBreakReply::Broken {
                at: reader.number()?,
                by: reader.some_text()?,
                reason: reader.some_text()?,
            }),
            "unknown" => Ok(PastBreakReply::Unknown),
            other => unexpected(other),
        }
    }
}
