//! The kinds of values that settings have, each parsed from text.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use fred::types::config::{Config, ServerConfig};
use ipnet::IpNet;

use super::text::{items, masked};

/// A kind of value. The error of `parse` says what would be right.
pub(super) trait Kind: Sized {
    fn parse(text: &str) -> Result<Self, String>;
}

/// Where Redis is, and how Gorilla logs in. `Debug` and `Display` hide the passwords.
#[derive(Clone)]
pub struct RedisUrl {
    text: String,
    config: Config,
}

/// Names or addresses of hosts, without ports.
#[derive(Clone, Debug)]
pub struct AllowedHosts(pub Vec<url::Host>);

/// Networks of proxies whose word about their clients counts.
#[derive(Clone, Debug)]
pub struct TrustedProxies(pub Vec<IpNet>);

/// What all keys begin with: 1 to 64 letters, digits, `_`, `-`, `.` or `:`.
#[derive(Clone, Debug)]
pub struct KeyPrefix(pub String);

/// An address to serve on, if a setting names one.
#[derive(Clone, Copy, Debug)]
pub struct ListenAddress(pub Option<SocketAddr>);

/// Which requests a replica serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// `File` if there is an access file, otherwise `None` on a loopback address.
    Auto,
    /// All.
    None,
    /// Those that an access file allows.
    File,
}

/// What happens while the audit file can't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Requests go on, and it is counted.
    Count,
    /// Acquires, breaks and conversions are refused.
    Refuse,
}

/// When Redis records what happens to locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// While somebody listens.
    Listened,
    /// Always.
    Always,
    /// Never.
    Off,
}

/// A filter for log lines.
#[derive(Clone, Debug)]
pub struct LogLevel(pub String);

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Pretty,
    /// For machines.
    Json,
}

impl RedisUrl {
    /// The URL of a socket in the file system. The path may have any characters.
    pub fn unix_socket(path: &Path) -> Self {
        let server = ServerConfig::new_unix_socket(path);
        Self { text: format!("redis+unix://{}", path.display()), config: Config { server, ..Config::default() } }
    }

    /// Whether the URL names a Redis Cluster.
    pub fn is_cluster(&self) -> bool {
        matches!(self.config.server, ServerConfig::Clustered { .. })
    }

    /// The configuration of fred for this URL.
    pub fn config(&self) -> Config {
        self.config.clone()
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&masked(&self.text))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Kind for RedisUrl {
    fn parse(text: &str) -> Result<Self, String> {
        const SCHEMES: [&str; 14] = [
            "redis",
            "rediss",
            "redis-sentinel",
            "rediss-sentinel",
            "redis-cluster",
            "rediss-cluster",
            "redis+unix",
            "valkey",
            "valkeys",
            "valkey-sentinel",
            "valkeys-sentinel",
            "valkey-cluster",
            "valkeys-cluster",
            "valkey+unix",
        ];
        let scheme = text.split("://").next().unwrap_or_default();
        if !text.contains("://") || !SCHEMES.contains(&scheme) {
            return Err(format!("must begin with one of {}, then ://", SCHEMES.join(", ")));
        }
        // The error of fred may repeat the URL, and so the password.
        let config = Config::from_url(text)
            .map_err(|_| "must be a URL such as redis://user:password@host:6379/0; a sentinel URL needs ?sentinelServiceName=NAME".to_string())?;
        Ok(Self { text: text.into(), config })
    }
}

impl Kind for AllowedHosts {
    fn parse(text: &str) -> Result<Self, String> {
        let host = |name: &str| {
            let name = name.strip_suffix('.').unwrap_or(name);
            // An IPv6 address needs no brackets here, because no port follows.
            let parsed = name.parse().map(url::Host::Ipv6).or_else(|_| url::Host::parse(name));
            parsed.ok().filter(|_| !name.contains('*'))
        };
        items(text).into_iter().map(host).collect::<Option<_>>().map(Self).ok_or_else(|| {
            "must be a list of names or IP addresses of hosts without a port, such as locks.example.com".into()
        })
    }
}

impl Kind for TrustedProxies {
    fn parse(text: &str) -> Result<Self, String> {
        let network = |text: &str| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        items(text)
            .into_iter()
            .map(network)
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(|_| "must be a list of IP addresses and networks, such as 10.0.0.5 and 172.16.0.0/12".into())
    }
}

impl Kind for KeyPrefix {
    fn parse(text: &str) -> Result<Self, String> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte));
        if fits { Ok(Self(text.into())) } else { Err("must be 1 to 64 letters, digits, '_', '-', '.' or ':'".into()) }
    }
}

impl Kind for ListenAddress {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(Self(None)) } else { SocketAddr::parse(text).map(|address| Self(Some(address))) }
    }
}

impl Kind for AuthMode {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            "file" => Ok(Self::File),
            _ => Err("must be auto, none or file".into()),
        }
    }
}

impl Kind for OnFailure {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "count" => Ok(Self::Count),
            "refuse" => Ok(Self::Refuse),
            _ => Err("must be count or refuse".into()),
        }
    }
}

impl Kind for Record {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "listened" => Ok(Self::Listened),
            "always" => Ok(Self::Always),
            "off" => Ok(Self::Off),
            _ => Err("must be listened, always or off".into()),
        }
    }
}

impl Kind for LogLevel {
    fn parse(text: &str) -> Result<Self, String> {
        tracing_subscriber::EnvFilter::try_new(text)
            .map(|_| Self(text.into()))
            .map_err(|_| "must be error, warn, info, debug or a filter such as info,gorilla::http=warn".into())
    }
}

impl Kind for LogFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err("must be auto, pretty or json".into()),
        }
    }
}

/// A file, or none.
impl Kind for Option<PathBuf> {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Some(PathBuf::from(text)).filter(|_| !text.is_empty()))
    }
}

impl Kind for SocketAddr {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix("localhost:").map_or(text.to_string(), |port| format!("127.0.0.1:{port}"));
        text.parse().map_err(|_| "must be HOST:PORT with an IP address for HOST, such as 0.0.0.0:4000".into())
    }
}

impl Kind for Duration {
    fn parse(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text).map_err(|_| "must be a duration such as 500ms, 10s, 5m or 24h".into())
    }
}

impl Kind for usize {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().ok().filter(|&number| number > 0).ok_or("must be a whole number from 1".into())
    }
}

impl Kind for u32 {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "must be a whole number from 0".into())
    }
}

impl Kind for bool {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "must be true or false".into())
    }
}
