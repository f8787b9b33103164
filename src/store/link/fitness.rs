//! Judges by `INFO` whether a server is fit to keep locks.

use std::borrow::Cow;

use fred::types::Resp3Frame;
use tracing::warn;

use super::error::Error;

/// The oldest major version of Redis that has script flags, on which some guarantees rest.
const OLDEST: u32 = 7;

/// Judges by `INFO`: the version, if `INFO` has it, and whether Redis may evict locks. An error says what is wrong
/// and what to do.
pub fn judge(info: &Resp3Frame) -> Result<(), String> {
    let info = text(info);
    let field = |name| field(&info, name);
    // Valkey has 7.2.4 here, whatever its own version is.
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
            warn!("Redis does not say its maxmemory-policy; make sure that it is noeviction");
            Ok(())
        }
    }
}

/// Judges a server that did not answer `INFO`: if the user only lacks the right to it, the server may still be fit.
pub fn judge_unread(error: &Error) -> Result<(), String> {
    match error {
        error if error.is_no_right() => {
            warn!(cause = %error, "Redis refuses INFO; make sure that its maxmemory-policy is noeviction");
            Ok(())
        }
        error => Err(error.to_string()),
    }
}

/// The id of the process that answered `INFO`, to compare two connections. `what` needs it.
pub fn process(infos: &[Result<Resp3Frame, Error>], what: &str) -> Result<String, String> {
    let lacks = |why: String| format!("{what} needs a user with the right +info ({why})");
    let info = infos.first().ok_or_else(|| lacks("no node was asked".into()))?;
    let info = info.as_ref().map_err(|error| lacks(error.to_string()))?;
    let run_id = field(&text(info), "run_id").map(String::from);
    run_id.ok_or_else(|| lacks("INFO has no run_id".into()))
}

/// The process of a master, and what tells whether its data follow on those of another: '<run id> <replication id> <second
/// replication id> <uptime in s>'. An error is a part of a sentence.
pub fn replication(info: &Resp3Frame) -> Result<(String, String), String> {
    let info = text(info);
    let get = |name| field(&info, name).ok_or_else(|| format!("INFO has no {name}"));
    if get("role")? != "master" {
        return Err("a master of the cluster is no longer one".into());
    }
    let run = get("run_id")?;
    let all = format!("{run} {} {} {}", get("master_replid")?, get("master_replid2")?, get("uptime_in_seconds")?);
    Ok((run.into(), all))
}

/// How many replicas of a master are online, by what `INFO replication` tells.
pub fn replicas_online(info: &Resp3Frame) -> usize {
    let is_online = |line: &&str| line.starts_with("slave") && line.contains("state=online");
    text(info).lines().filter(is_online).count()
}

/// The text of `INFO`.
fn text(info: &Resp3Frame) -> Cow<'_, str> {
    match info {
        Resp3Frame::BlobString { data, .. } | Resp3Frame::VerbatimString { data, .. } => String::from_utf8_lossy(data),
        _ => "".into(),
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}
