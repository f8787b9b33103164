//! Whether a server is fit to keep locks.

use std::borrow::Cow;

use fred::types::{Resp3Frame, config::Server};
use futures_util::future::join_all;
use gorilla_scripts::Ready;
use tracing::warn;

use super::Store;
use crate::lock::Failure;

/// Redis before it has no script flags, and none of the guarantees that rest on them.
const OLDEST: u32 = 7;

/// Why a node does not help.
enum Unready {
    /// It endangers the locks that it has.
    Unfit(String),
    /// It serves nobody now.
    Refuses(String),
}

impl Store {
    /// Why Redis can't serve writes now, if it can't. Writes nothing. Being out of memory is no reason: holders still extend
    /// and release. Nor is it one that some masters of a cluster refuse: without this replica nobody had the others either.
    pub async fn ready(&self) -> Result<(), String> {
        if let Some(why) = self.link.trouble() {
            return Err(why);
        }
        let nodes = self.link.nodes().map_err(reason)?;
        let mut refusals = Vec::new();
        let all = nodes.len();
        for asked in join_all(nodes.into_iter().map(|node| self.ready_at(node))).await {
            match asked {
                Ok(()) => {}
                Err(Unready::Unfit(why)) => return Err(why),
                Err(Unready::Refuses(why)) => refusals.push(why),
            }
        }
        let serves_nobody = refusals.len() == all;
        refusals.pop().filter(|_| serves_nobody).map_or(Ok(()), Err)
    }

    async fn ready_at(&self, node: Option<Server>) -> Result<(), Unready> {
        match self.link.command(node.clone(), "INFO", vec!["memory".into()]).await {
            Ok(info) => judge(&info).map_err(Unready::Unfit)?,
            Err(failure) => unread(&failure).map_err(Unready::Refuses)?,
        }
        if self.replicas_wanted > 0 {
            self.replicas_online(node.clone()).await.map_err(Unready::Refuses)?;
        }
        let sent = self.run_at(node.as_ref(), &Ready {}).await;
        sent.map_err(|failure| Unready::Refuses(reason(failure)))
    }

    /// Whether a master has as many replicas as must confirm what is done.
    async fn replicas_online(&self, node: Option<Server>) -> Result<(), String> {
        let wanted = self.replicas_wanted;
        let info = self.link.command(node, "INFO", vec!["replication".into()]).await.map_err(reason)?;
        let is_online = |line: &&str| line.starts_with("slave") && line.contains("state=online");
        let online = text(&info).lines().filter(is_online).count();
        if online >= wanted as usize {
            return Ok(());
        }
        Err(format!(
            "{online} replicas of Redis are online, and redis.min_replicas_ack wants {wanted} to confirm what is done"
        ))
    }
}

/// What `INFO` tells of the process that answers, to compare two.
pub(super) fn process(infos: &[Result<Resp3Frame, Failure>]) -> Result<String, String> {
    let lacks = |why: String| format!("redis.min_replicas_ack needs a user with the right +info ({why})");
    let info = infos
        .first()
        .ok_or_else(|| lacks("no node was asked".into()))?
        .as_ref()
        .map_err(|failure| lacks(reason(failure.clone())))?;
    let run_id = field(&text(info), "run_id").map(String::from);
    run_id.ok_or_else(|| lacks("INFO tells no run_id".into()))
}

/// What `INFO` tells.
fn text(info: &Resp3Frame) -> Cow<'_, str> {
    match info {
        Resp3Frame::BlobString { data, .. } | Resp3Frame::VerbatimString { data, .. } => String::from_utf8_lossy(data),
        _ => "".into(),
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Judges what `INFO` tells: the version, where it is told, and whether Redis may evict locks.
pub(super) fn judge(info: &Resp3Frame) -> Result<(), String> {
    let info = text(info);
    let field = |name| field(&info, name);
    // Valkey tells 7.2.4 here, whatever its own version is.
    if let Some(version) = field("redis_version") {
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_some_and(|major| major < OLDEST) {
            return Err(format!("Redis is version {version}; Gorilla needs 7.0 or newer"));
        }
    }
    match field("maxmemory_policy") {
        Some("noeviction") => Ok(()),
        Some(policy) => Err(format!(
            "Redis has maxmemory-policy {policy} and so may evict locks; set it with: redis-cli CONFIG SET maxmemory-policy noeviction"
        )),
        None => {
            warn!("Redis does not tell its maxmemory-policy; make sure that it is noeviction");
            Ok(())
        }
    }
}

/// `INFO` could not be read: where only the right to it is missing, the server may still be fit.
pub(super) fn unread(failure: &Failure) -> Result<(), String> {
    match failure {
        Failure::Broken(cause) if cause.contains("NOPERM") || cause.contains("unknown command") => {
            warn!(cause, "Redis refuses INFO; make sure that its maxmemory-policy is noeviction");
            Ok(())
        }
        failure => Err(reason(failure.clone())),
    }
}

/// Why a command could not be carried out, as a part of a sentence.
pub(super) fn reason(failure: Failure) -> String {
    match failure {
        Failure::Unreachable(why) | Failure::Unknown(why) | Failure::Broken(why) => why,
        Failure::Refused(prefix) => format!("Redis refuses writes: {prefix}"),
        Failure::Overloaded => "too many commands wait for Redis".into(),
        Failure::NotReplicated => "too few replicas of Redis confirm what is done".into(),
    }
}
