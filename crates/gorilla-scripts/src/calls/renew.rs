//! The call of `lua/renew.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `renew` is called with. The locks behind the first are keys of the request.
#[derive(Clone, Debug, Serialize)]
pub struct Renew<'a> {
    /// The length of the leases in milliseconds.
    pub lease: u64,
    /// The current tokens, one for each lock.
    pub tokens: Vec<&'a str>,
}

/// What `renew` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// From when the leases count, in milliseconds since 1970.
    pub updated: i64,
    /// The indices of the locks that were left as they were, for `extend` to decide.
    pub left: Vec<usize>,
}

impl Call for Renew<'_> {
    type Reply = Renewed;

    const NAME: &'static str = "renew";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.renew
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        vec![]
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<Renewed, Malformed> {
        match outcome {
            "renewed" => {
                let updated = reader.number()?;
                let left = reader.numbers::<usize>()?.into_iter().map(|place| place.saturating_sub(1)).collect();
                Ok(Renewed { updated, left })
            }
            other => unexpected(other),
        }
    }
}
