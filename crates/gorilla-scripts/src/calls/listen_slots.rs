//! The call of `lua/listen_slots.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `listen_slots` is called with.
#[derive(Clone, Debug, Serialize)]
pub struct ListenSlots<'a> {
    /// The keys of streams of events.
    pub streams: &'a [String],
    /// How long they stay from now on, at least, in milliseconds; `None` to change nothing.
    pub keep: Option<u64>,
    /// Entries before this are dropped, in milliseconds since 1970; `None` to keep them.
    pub floor: Option<i64>,
}

/// What `listen_slots` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenSlotsReply {
    /// The node has done what was asked of the slots that it has.
    Slots {
        /// How many streams were made.
        made: u64,
        /// How many entries all these streams have.
        entries: u64,
        /// The places in `streams`, from 0, whose slots the node doesn't have.
        elsewhere: Vec<usize>,
        /// The places of streams that have entries, each with the id of the last entry.
        filled: Vec<(usize, String)>,
    },
    /// The user of Redis lacks a right. Says what Redis said.
    Denied {
        /// What Redis said.
        why: String,
    },
}

impl Call for ListenSlots<'_> {
    type Reply = ListenSlotsReply;

    const NAME: &'static str = "listen_slots";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.listen_slots
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        Vec::new()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<ListenSlotsReply, Malformed> {
        let place = |reader: &mut Reader| {
            let place = reader.number::<usize>()?;
            place.checked_sub(1).ok_or_else(|| Malformed("a script replied with the place 0".into()))
        };
        Ok(match outcome {
            "slots" => {
                let (made, entries, missing) = (reader.number()?, reader.number()?, reader.number::<usize>()?);
                let elsewhere = (0..missing).map(|_| place(reader)).collect::<Result<_, _>>()?;
                let mut filled = Vec::new();
                while !reader.is_empty() {
                    filled.push((place(reader)?, reader.text()?));
                }
                ListenSlotsReply::Slots { made, entries, elsewhere, filled }
            }
            "denied" => ListenSlotsReply::Denied { why: reader.text()? },
            other => return unexpected(other),
        })
    }
}
