//! The call of `lua/listen.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `listen` is called with. The key of the stream stands in the place of a lock.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Listen {
    /// How long the stream stays from now on, at least, in milliseconds.
    pub keep: u64,
    /// Entries that are older are dropped, in milliseconds; `None` to keep them.
    pub age: Option<u64>,
}

/// What `listen` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Which epoch the events belong to, twelve hexadecimal digits.
    pub epoch: String,
    /// The id of the first entry of the stream.
    pub first: String,
    /// The id of the last entry.
    pub last: String,
    /// The clock of Redis, in milliseconds since 1970.
    pub now: i64,
    /// The run id of the server.
    pub run: String,
    /// The epoch before, empty if there is none.
    pub before: String,
    /// Why that ended: `restarted`, `failover` or `not_recorded`; empty if there is none.
    pub why: String,
}

impl Call for Listen {
    type Reply = Listening;

    const NAME: &'static str = "listen";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.listen
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        Vec::new()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<Listening, Malformed> {
        match outcome {
            "listening" => Ok(Listening {
                epoch: reader.text()?,
                first: reader.text()?,
                last: reader.text()?,
                now: reader.number()?,
                run: reader.text()?,
                before: reader.text()?,
                why: reader.text()?,
            }),
            other => unexpected(other),
        }
    }
}
