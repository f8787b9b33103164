//! The scripts of `lua/`, embedded at build time.

use std::sync::Arc;

use fred::bytes_utils::Str;

const SHARED: &str = include_str!("../../lua/shared.lua");
const BATCH: &str = include_str!("../../lua/batch.lua");

/// What Redis runs, with the name that it knows it by.
pub struct Text {
    /// The whole text: flags, what scripts share, then its own part.
    pub source: Str,
    /// The SHA-1 of the text, in hexadecimal.
    pub sha: Str,
}

/// A script.
pub struct Script {
    /// For one request.
    pub one: Text,
    /// For many requests, as `lua/batch.lua` says.
    pub many: Text,
    /// Whether it goes to Redis before other scripts that are sent in the same moment.
    pub goes_first: bool,
}

/// Each script has a field. What it takes and replies stands in its file.
pub struct Scripts {
    /// `lua/acquire.lua`
    pub acquire: Arc<Script>,
    /// `lua/extend.lua`
    pub extend: Arc<Script>,
    /// `lua/release.lua`
    pub release: Arc<Script>,
    /// `lua/break.lua`
    pub break_lock: Arc<Script>,
    /// `lua/inspect.lua`
    pub inspect: Arc<Script>,
    /// `lua/cancel.lua`
    pub cancel: Arc<Script>,
    /// `lua/wake.lua`
    pub wake: Arc<Script>,
    /// `lua/ready.lua`
    pub ready: Arc<Script>,
    /// `lua/settle.lua`
    pub settle: Arc<Script>,
    /// `lua/confirm.lua`
    pub confirm: Arc<Script>,
}

impl Script {
    /// Puts the shared part behind the first line, which Redis wants to begin with `#!`.
    pub fn new(text: &str) -> Self {
        let (flags, body) = text.split_once('\n').unwrap_or((text, ""));
        Self {
            one: Text::new(format!("{flags}\n{SHARED}\n{body}")),
            many: Text::new(format!("{flags}\n{SHARED}\nlocal function one(KEYS, ARGV)\n{body}\nend\n{BATCH}")),
            goes_first: false,
        }
    }
}

impl Text {
    fn new(source: String) -> Self {
        let sha = fred::util::sha1_hash(&source);
        Self { source: source.into(), sha: sha.into() }
    }
}

impl Default for Scripts {
    fn default() -> Self {
        let script = |text| Arc::new(Script::new(text));
        Self {
            acquire: script(include_str!("../../lua/acquire.lua")),
            extend: script(include_str!("../../lua/extend.lua")),
            // The claim of a waiter may be sent right after the release that it is about.
            release: Arc::new(Script { goes_first: true, ..Script::new(include_str!("../../lua/release.lua")) }),
            break_lock: script(include_str!("../../lua/break.lua")),
            inspect: script(include_str!("../../lua/inspect.lua")),
            cancel: script(include_str!("../../lua/cancel.lua")),
            wake: script(include_str!("../../lua/wake.lua")),
            ready: script(include_str!("../../lua/ready.lua")),
            settle: script(include_str!("../../lua/settle.lua")),
            confirm: script(include_str!("../../lua/confirm.lua")),
        }
    }
}
