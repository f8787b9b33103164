//! The call of `lua/listen_cluster.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `listen_cluster` is called with. The key of the epoch stands in the place of a lock.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ListenCluster<'a> {
    /// Which replica looks.
    pub by: &'a str,
    /// For each master its run id, its replication id, its second replication id and its uptime in seconds, with spaces
    /// between; `None` when the look begins.
    pub masters: Option<&'a [String]>,
    /// How many streams were not there.
    pub made: u64,
    /// How long streams stay without listeners, in milliseconds.
    pub keep: u64,
    /// Entries that are older may be dropped, in milliseconds.
    pub age: u64,
    /// Why events may be lost, if the replica knows of a reason.
    pub ended: Option<&'a str>,
}

/// What `listen_cluster` replies. Times are in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenClusterReply {
    /// The look may begin.
    Begun {
        /// Entries before this may be dropped.
        floor: i64,
    },
    /// Another replica looks.
    Busy {
        /// For how long, at most, in milliseconds.
        left: u64,
    },
    /// The look is over.
    Listening {
        /// Which epoch the events belong to, twelve hexadecimal digits.
        epoch: String,
        /// Since when nothing was dropped.
        since: i64,
        /// The clock of the node that keeps the epoch.
        now: i64,
        /// The epoch before, empty if there is none.
        before: String,
        /// Why that ended: `restarted`, `failover` or `not_recorded`; empty if there is none.
        why: String,
    },
}

impl Call for ListenCluster<'_> {
    type Reply = ListenClusterReply;

    const NAME: &'static str = "listen_cluster";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.listen_cluster
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        Vec::new()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<ListenClusterReply, Malformed> {
        Ok(match outcome {
            "begun" => ListenClusterReply::Begun { floor: reader.number()? },
            "busy" => ListenClusterReply::Busy { left: reader.number()? },
            "listening" => ListenClusterReply::Listening {
                epoch: reader.text()?,
                since: reader.number()?,
                now: reader.number()?,
                before: reader.text()?,
                why: reader.text()?,
            },
            other => return unexpected(other),
        })
    }
}
