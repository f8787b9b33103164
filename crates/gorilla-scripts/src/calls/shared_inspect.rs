//! The call of `lua/shared_inspect.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    grant::{Group, Part, Tenure},
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `shared_inspect` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SharedInspect<'a> {
    /// The id of the holder to tell, from a token, if a holder asks for itself.
    pub id: Option<&'a str>,
    /// The secret from the same token.
    pub secret: Option<&'a str>,
    /// How many holders to tell at most.
    pub most: u64,
}

/// What `shared_inspect` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedInspectReply {
    /// A group holds the lock.
    Group {
        /// How many wait.
        waiting: u64,
        /// What the holders have together.
        group: Group,
        /// The holders with their permits, and whether somebody breaks their grants and has left them a grace; those first that
        /// end last.
        holders: Vec<(Tenure, u32, bool)>,
    },
    /// The token's holder.
    Own(Tenure, Part),
    /// The lock has no holder with this token.
    Mismatch,
    /// Nobody holds the lock.
    Missing,
    /// The lock has a holder that has it alone.
    Alone,
}

impl Call for SharedInspect<'_> {
    type Reply = SharedInspectReply;

    const NAME: &'static str = "shared_inspect";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.shared_inspect
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        vec![Sibling::Queue, Sibling::Holders]
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<SharedInspectReply, Malformed> {
        Ok(match outcome {
            "group" => {
                let (waiting, group, shown) = (reader.number()?, reader.group()?, reader.number::<usize>()?);
                let holder = |_| {
                    let (tenure, permits, breaking) = (reader.tenure()?, reader.number()?, reader.number::<u8>()? == 1);
                    Ok((Tenure { by: reader.some_text()?, ..tenure }, permits, breaking))
                };
                SharedInspectReply::Group { waiting, group, holders: (0..shown).map(holder).collect::<Result<_, _>>()? }
            }
            "own" => {
                let (tenure, permits) = (reader.tenure()?, reader.number()?);
                let part = Part { permits, limit: reader.limit()?, floor: reader.number()? };
                SharedInspectReply::Own(Tenure { by: reader.some_text()?, ..tenure }, part)
            }
            "mismatch" => SharedInspectReply::Mismatch,
            "missing" => SharedInspectReply::Missing,
            "alone" => SharedInspectReply::Alone,
            other => return unexpected(other),
        })
    }
}
