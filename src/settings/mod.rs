//! The settings, read from four places: the defaults in `defaults.toml`, a file, the environment, the flags. A later
//! place overrides an earlier one.

mod kinds;
mod reader;
mod text;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use kinds::AuthMode;
pub use kinds::{
    AllowedHosts, KeyPrefix, ListenAddress, LogFormat, LogLevel, OnFailure, Record, RedisUrl, TrustedProxies,
};
use reader::Reader;
pub use reader::{Flag, Problem, Problems};

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Section `[server]`.
    pub server: Server,
    /// Section `[redis]`.
    pub redis: Redis,
    /// Section `[auth]`.
    pub auth: Auth,
    /// Section `[audit]`.
    pub audit: Audit,
    /// Section `[events]`.
    pub events: Events,
    /// Section `[limits]`.
    pub limits: Limits,
    /// How long Gorilla keeps the answer to a request with an Idempotency-Key.
    pub idempotency_window: Duration,
    /// Section `[log]`.
    pub log: Log,
}

/// How HTTP is served.
#[derive(Clone, Debug)]
pub struct Server {
    /// The address to bind.
    pub listen: SocketAddr,
    /// The hosts that requests may name, beside those of the loopback.
    pub allowed_hosts: AllowedHosts,
    /// The proxies whose word about their clients counts.
    pub trusted_proxies: TrustedProxies,
    /// The address to serve metrics on, if not on that of the locks.
    pub metrics_listen: ListenAddress,
    /// The files with which HTTPS is served. None: HTTP is served.
    pub tls: Option<TlsFiles>,
    /// How long the head of a request may take to arrive, and how long a connection may be idle.
    pub header_timeout: Duration,
    /// How long the body of a request may take to arrive.
    pub body_timeout: Duration,
    /// How long an answer may make no progress because its client doesn't read.
    pub write_timeout: Duration,
    /// Threads that serve.
    pub threads: usize,
    /// Connections that a replica serves at once.
    pub max_connections: usize,
    /// From SIGTERM until the listener closes.
    pub drain_delay: Duration,
    /// The longest time from SIGTERM until the process ends.
    pub drain_timeout: Duration,
}

/// Which requests are served.
#[derive(Clone, Debug)]
pub struct Auth {
    /// The access file. Without one every request is served.
    pub file: Option<PathBuf>,
    /// Whether the settings say that every request shall be served.
    pub is_open: bool,
}

/// Where records of what clients did go.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The file. Without one nothing is recorded.
    pub file: Option<PathBuf>,
    /// What happens while it can't be written.
    pub on_failure: OnFailure,
}

/// What happens to locks, for those who listen.
#[derive(Clone, Copy, Debug)]
pub struct Events {
    /// When Redis records it.
    pub record: Record,
}

/// The files that a listener with TLS needs, both in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, and behind it those between it and its authority.
    pub certificate: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
}

/// How a replica reaches Redis.
#[derive(Clone, Debug)]
pub struct Redis {
    /// Where Redis is.
    pub url: RedisUrl,
    /// How long a command may take.
    pub command_timeout: Duration,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long grants wait after a new incarnation of the data. Zero: they don't wait.
    pub failover_grace: Duration,
    /// How many replicas of Redis must confirm a success before Gorilla answers.
    pub min_replicas_ack: u32,
    /// What all keys begin with.
    pub key_prefix: KeyPrefix,
}

/// What a client may ask for, and how many requests may wait at once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest lease.
    pub max_timeout: Duration,
    /// The longest time an acquire may wait.
    pub max_wait: Duration,
    /// Waiters for one lock, at most.
    pub max_waiters: usize,
    /// How many clients may hold a shared lock.
    pub max_holders: usize,
    /// Commands that wait for Redis at once, at most.
    pub max_in_flight: usize,
}

/// What Gorilla logs, and how.
#[derive(Clone, Debug)]
pub struct Log {
    /// The filter.
    pub level: LogLevel,
    /// The form.
    pub format: LogFormat,
    /// Whether the log has a line for each request.
    pub requests: bool,
}

impl Settings {
    /// Reads all sources. An error lists every problem with its source.
    pub fn load(file: Option<&Path>, flags: &[Flag]) -> Result<Self, Problems> {
        Self::from_reader(Reader::open(file, flags)?)
    }

    /// The settings in force as TOML, with the source of each value behind it, and with secrets masked.
    pub fn show(file: Option<&Path>, flags: &[Flag]) -> Result<String, Problems> {
        let reader = Reader::open(file, flags)?;
        let text = reader.show();
        Self::from_reader(reader).map(|_| text)
    }

    /// Refuses to serve everybody on an address that other machines reach, unless the settings say so. The error is a
    /// sentence.
    pub fn check_auth(&self) -> Result<(), String> {
        let listen = self.server.listen;
        if self.auth.is_open || self.auth.file.is_some() || listen.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        Err(format!(
            "auth.mode must be set, because other machines can reach {listen} and no API key is demanded; set auth.file \
             to an access file (`gorilla key new NAME --role ROLE` makes a key), or set auth.mode to none if everybody \
             who reaches this address may take and break every lock"
        ))
    }

    /// Refuses an audit file that could never be opened. The error is a sentence.
    pub fn check_audit(&self) -> Result<(), String> {
        let Some(file) = &self.audit.file else { return Ok(()) };
        let shown = file.display();
        if file.is_dir() {
            return Err(format!("audit.file must name a file, and {shown} is a folder"));
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        match folder.filter(|folder| !folder.is_dir()) {
            Some(_) => Err(format!("audit.file must be in a folder that exists, and that of {shown} does not")),
            None => Ok(()),
        }
    }

    fn from_reader(mut reader: Reader) -> Result<Self, Problems> {
        let (certificate, key) = (reader.take("server.tls_certificate"), reader.take("server.tls_key"));
        let tls = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            (Some(_), None) => {
                reader.refuse("server.tls_key", "must be set too, because server.tls_certificate is set".into());
                None
            }
            (None, Some(_)) => {
                reader.refuse("server.tls_certificate", "must be set too, because server.tls_key is set".into());
                None
            }
        };
        let settings = Self {
            server: Server {
                listen: reader.take("server.listen"),
                allowed_hosts: reader.take("server.allowed_hosts"),
                trusted_proxies: reader.take("server.trusted_proxies"),
                metrics_listen: reader.take("server.metrics_listen"),
                tls,
                header_timeout: reader.take("server.header_timeout"),
                body_timeout: reader.take("server.body_timeout"),
                write_timeout: reader.take("server.write_timeout"),
                threads: reader.take("server.threads"),
                max_connections: reader.take("server.max_connections"),
                drain_delay: reader.take("server.drain_delay"),
                drain_timeout: reader.take("server.drain_timeout"),
            },
            redis: Redis {
                url: reader.take("redis.url"),
                command_timeout: reader.take("redis.command_timeout"),
                connect_timeout: reader.take("redis.connect_timeout"),
                failover_grace: reader.take("redis.failover_grace"),
                min_replicas_ack: reader.take("redis.min_replicas_ack"),
                key_prefix: reader.take("redis.key_prefix"),
            },
            auth: auth(&mut reader),
            audit: Audit { file: reader.take("audit.file"), on_failure: reader.take("audit.on_failure") },
            events: Events { record: reader.take("events.record") },
            limits: Limits {
                max_timeout: reader.take("limits.max_timeout"),
                max_wait: reader.take("limits.max_wait"),
                max_waiters: reader.take("limits.max_waiters"),
                max_holders: reader.take("limits.max_holders"),
                max_in_flight: reader.take("limits.max_in_flight"),
            },
            idempotency_window: reader.take("idempotency.window"),
            log: Log {
                level: reader.take("log.level"),
                format: reader.take("log.format"),
                requests: reader.take("log.requests"),
            },
        };
        if settings.server.drain_delay >= settings.server.drain_timeout {
            reader.refuse("server.drain_delay", "must be shorter than server.drain_timeout".into());
        }
        for key in [
            "server.header_timeout",
            "server.body_timeout",
            "server.write_timeout",
            "server.drain_timeout",
            "redis.command_timeout",
            "redis.connect_timeout",
            "limits.max_timeout",
            "limits.max_wait",
            "idempotency.window",
        ] {
            if reader.take::<Duration>(key).is_zero() {
                reader.refuse(key, "must not be zero".into());
            }
        }
        if settings.limits.max_timeout < gorilla_domain::Lease::SHORTEST {
            reader.refuse("limits.max_timeout", "must be at least 100ms, the shortest lease".into());
        }
        let (grace, longest) = (settings.redis.failover_grace, settings.limits.max_timeout);
        if !grace.is_zero() && grace < longest {
            let longest = humantime::format_duration(longest);
            let problem = format!(
                "is shorter than limits.max_timeout, which is {longest}, and leases that long may be lost with a failover; lower limits.max_timeout or raise the grace"
            );
            reader.refuse("redis.failover_grace", problem);
        }
        reader.finish()?;
        Ok(settings)
    }
}

/// The section `[auth]`.
fn auth(reader: &mut Reader) -> Auth {
    let (mode, file) = (reader.take("auth.mode"), reader.take::<Option<PathBuf>>("auth.file"));
    match (mode, &file) {
        (AuthMode::None, Some(_)) => {
            reader.refuse("auth.file", "is set, although auth.mode is none; leave one of them out".into());
        }
        (AuthMode::File, None) => reader.refuse("auth.file", "is missing, although auth.mode is file".into()),
        _ => {}
    }
    Auth { file, is_open: mode == AuthMode::None }
}
