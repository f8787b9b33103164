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
            // As the store puts them together: the shared part behind the first line.
            let (flags, body) = text.split_once('\n').unwrap_or((text, ""));
            let sha = redis.cli(&["SCRIPT", "LOAD", &format!("{flags}\n{SHARED}\n{body}")]);
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
