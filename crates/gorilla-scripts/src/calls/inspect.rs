//! The call of `lua/inspect.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    grant::Tenure,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `inspect` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Inspect<'a> {
    /// The token to compare with the current token.
    pub token: Option<&'a str>,
}

/// What `inspect` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InspectReply {
    /// Somebody holds the lock.
    Held {
        /// Whether the token is the current token.
        own: bool,
        /// The grant.
        tenure: Tenure,
        /// How many wait.
        waiting: u64,
        /// Whether somebody breaks the lock, and has left its holder a grace.
        breaking: bool,
        /// How often its holder has extended its lease.
        renewals: u64,
    },
    /// A group holds the lock, and `shared_inspect` tells it.
    Shared,
    /// Nobody holds the lock.
    Free {
        /// How many wait.
        waiting: u64,
    },
}

impl Call for Inspect<'_> {
    type Reply = InspectReply;

    const NAME: &'static str = "inspect";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.inspect
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        vec![Sibling::Queue]
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<InspectReply, Malformed> {
        match outcome {
            "held" => {
                let own = reader.number::<u8>()? == 1;
                let (tenure, waiting) = (reader.tenure()?, reader.number()?);
                let (breaking, renewals) = (reader.number::<u8>()? == 1, reader.number()?);
                let tenure = Tenure { by: reader.some_text()?, ..tenure };
                Ok(InspectReply::Held { own, tenure, waiting, breaking, renewals })
            }
            "shared" => Ok(InspectReply::Shared),
            "free" => Ok(InspectReply::Free { waiting: reader.number()? }),
            other => unexpected(other),
        }
    }
}
