//! The call of `lua/queue.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `queue` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Queue {
    /// How many places to tell at most.
    pub most: u64,
}

/// What `queue` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueReply {
    /// How many requests wait.
    pub waiting: u64,
    /// The time of Redis, in milliseconds since 1970.
    pub now: i64,
    /// The first of them, each with how long it has waited in milliseconds.
    pub places: Vec<(Place, u64)>,
}

/// A place in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The id of the attempt that waits.
    pub id: String,
    /// The channel of the replica at which it waits.
    pub channel: String,
    /// A label for people.
    pub owner: String,
    /// The permits that it wants of a shared lock; `None` if it wants the lock alone.
    pub permits: Option<u32>,
}

impl Place {
    /// Takes a member of the queue apart: `<id>*<permits>/<limit> <channel> <owner>`.
    fn read(member: &str) -> Self {
        let mut parts = member.splitn(3, ' ');
        let [id, channel, owner] = [(); 3].map(|()| parts.next().unwrap_or_default());
        let (id, share) = id.split_once('*').map_or((id, None), |(id, share)| (id, share.split_once('/')));
        let permits = share.and_then(|(permits, _)| permits.parse().ok());
        Self { id: id.into(), channel: channel.into(), owner: owner.into(), permits }
    }
}

impl Call for Queue {
    type Reply = QueueReply;

    const NAME: &'static str = "queue";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.queue
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        vec![Sibling::Queue]
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<QueueReply, Malformed> {
        match outcome {
            "queue" => {
                let (waiting, count, now) = (reader.number()?, reader.number::<usize>()?, reader.number()?);
                let place = |_| Ok((Place::read(&reader.text()?), reader.number()?));
                Ok(QueueReply { waiting, now, places: (0..count).map(place).collect::<Result<_, _>>()? })
            }
            other => unexpected(other),
        }
    }
}
