//! The arguments of commands that take a lock.

use std::time::Duration;

use clap::Args;
use gorilla_client::{Campaign, Client, LockRequest, LocksRequest, Part};
use serde_json::{Map, Value};

use gorilla_domain::{Replaces, ResourceName};

use super::sharing::Sharing;

/// For how long a command holds a lock, and what it says about itself.
#[derive(Args)]
pub struct Holding {
    /// The lease: how long the lock lasts after its last renewal
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub ttl: Duration,
    /// The owner: a label that tells people who holds the lock [default: user@host:pid]
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
    /// Keep this with the lock, for people to read; repeat it for more
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    meta: Vec<(String, String)>,
}

/// How a command takes a lock.
#[derive(Args)]
pub struct Asking {
    #[command(flatten)]
    pub sharing: Sharing,
    #[command(flatten)]
    pub holding: Holding,
    /// Wait at most this long for the lock, first come, first served, and for a server that can't be reached [default:
    /// for ever; 5s for a server that has never answered]
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "no_wait")]
    pub wait: Option<Duration>,
    /// Don't wait: fail at once if somebody else holds the lock
    #[arg(short, long)]
    pub no_wait: bool,
    /// Count in the queue as if this request had arrived so much earlier: before those that arrived within this time,
    /// after all others; at most 60s, unless the server says otherwise. Only with one name
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "no_wait")]
    pub headstart: Option<Duration>,
    /// Dismiss the request that waits for the lock with the same text; a later request dismisses this one. Only with one
    /// name
    #[arg(long, value_name = "TEXT", value_parser = replaces, conflicts_with = "no_wait")]
    pub replaces: Option<String>,
}

impl Holding {
    /// The time from TERM to KILL that a command has by default.
    pub fn usual_grace(&self) -> Duration {
        (self.ttl / 6).min(Duration::from_secs(5))
    }

    /// A campaign for the leadership of an election.
    pub fn campaign(&self, client: &Client, name: &str) -> Campaign {
        let campaign = client.elect(name).ttl(self.ttl).owner(self.owner());
        match self.metadata() {
            Some(metadata) => campaign.metadata(metadata),
            None => campaign,
        }
    }

    fn owner(&self) -> String {
        self.owner.clone().unwrap_or_else(default_owner)
    }

    fn metadata(&self) -> Option<Value> {
        let meta = self.meta.iter().cloned().map(|(key, value)| (key, Value::String(value)));
        (!self.meta.is_empty()).then(|| Value::Object(meta.collect::<Map<_, _>>()))
    }
}

impl Asking {
    /// The request for one lock.
    pub fn request(&self, client: &Client, name: &str) -> LockRequest {
        let request = client.lock(name).kind(self.sharing.kind()).ttl(self.holding.ttl).wait(self.wait());
        let mut request = request.owner(self.holding.owner());
        if let Some(headstart) = self.headstart {
            request = request.headstart(headstart);
        }
        if let Some(text) = &self.replaces {
            request = request.replaces(text);
        }
        match self.holding.metadata() {
            Some(metadata) => request.metadata(metadata),
            None => request,
        }
    }

    /// The request for several locks, all or none.
    pub fn request_all(&self, client: &Client, names: &[String]) -> LocksRequest {
        let parts = names.iter().map(|name| Part::new(name).kind(self.sharing.kind()));
        let request = client.locks(parts).ttl(self.holding.ttl).wait(self.wait()).owner(self.holding.owner());
        match self.holding.metadata() {
            Some(metadata) => request.metadata(metadata),
            None => request,
        }
    }

    /// The option that only a request for one lock can have, if there is one.
    pub fn for_one_lock(&self) -> Option<&'static str> {
        self.headstart.map(|_| "--headstart").or(self.replaces.as_ref().map(|_| "--replaces"))
    }

    fn wait(&self) -> Duration {
        if self.no_wait { Duration::ZERO } else { self.wait.unwrap_or(Duration::MAX) }
    }
}

fn default_owner() -> String {
    let user =
        ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    let user = user.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}:{}", std::process::id())
}

/// Parses a name by the rules of the server. A wrong name is wrong usage, without a request to the server.
pub fn name(text: &str) -> Result<String, String> {
    ResourceName::parse(text).map(|_| text.into()).map_err(|rule| rule.to_string())
}

/// Parses a text by the rule of the server.
fn replaces(text: &str) -> Result<String, String> {
    Replaces::new(text.into()).map(|_| text.into()).map_err(|rule| format!("it {rule}"))
}

/// Parses a duration such as `30s`, `5m` or `1h 30m`. A number alone is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .map_or_else(|| humantime::parse_duration(text), Ok)
        .map_err(|_| "a duration looks like 30s, 5m or 1h30m".into())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    pair.map(|(key, value)| (key.into(), value.into())).ok_or_else(|| "it must look like KEY=VALUE".into())
}
