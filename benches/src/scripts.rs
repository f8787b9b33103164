//! The scripts of `lua/`, for those who run them without Gorilla.

use gorilla_harness::Redis;

const SHARED: &str = include_str!("../../lua/shared.lua");

/// By the SHA-1 of each, as EVALSHA wants it.
pub struct Scripts {
    /// `lua/acquire.lua`
    pub acquire: String,
    /// `lua/inspect.lua`
    pub inspect: String,
    /// `lua/extend.lua`
    pub extend: String,
    /// `lua/release.lua`
    pub release: String,
}

impl Scripts {
    /// Makes a Redis know them.
    pub fn loaded(redis: &Redis) -> Result<Self, String> {
        let load = |text: &str| {
            let sha = redis.cli(&["SCRIPT", "LOAD", &whole(text)]);
            if sha.len() == 40 { Ok(sha) } else { Err(format!("Redis does not take a script: {sha}")) }
        };
        Ok(Self {
            acquire: load(include_str!("../../lua/acquire.lua"))?,
            inspect: load(include_str!("../../lua/inspect.lua"))?,
            extend: load(include_str!("../../lua/extend.lua"))?,
            release: load(include_str!("../../lua/release.lua"))?,
        })
    }
}

/// A script as the store puts it together: the part that scripts share behind its first line.
pub fn whole(text: &str) -> String {
    let (flags, body) = text.split_once('\n').unwrap_or((text, ""));
    format!("{flags}\n{SHARED}\n{body}")
}

/// The arguments of an acquire as the store sends them: the lease in milliseconds, no Idempotency-Key, no wait, and what
/// `src/settings/defaults.toml` sets. A test in `direct/lua.rs` holds them against a replica's.
pub fn acquire_args<'a>(id: &'a str, token: &'a str, lease: &'a str) -> [&'a str; 15] {
    let channel = "gorilla:wake:5f2a9c3e7b10";
    [id, token, "bench", "[]", lease, "86400000", "", "60000", "0", channel, "", "10000", "10000", "120000", "0"]
}
