//! The scripts of `lua/`, embedded at build time.

const SHARED: &str = include_str!("../../lua/shared.lua");

/// A script with the name that Redis knows it by.
pub struct Script {
    /// The whole text: flags, what scripts share, then its own part.
    pub source: String,
    /// The SHA-1 of the text, in hexadecimal.
    pub sha: String,
}

/// Each script has a field. What it takes and replies stands in its file.
pub struct Scripts {
    /// `lua/acquire.lua`
    pub acquire: Script,
    /// `lua/extend.lua`
    pub extend: Script,
    /// `lua/release.lua`
    pub release: Script,
    /// `lua/break.lua`
    pub break_lock: Script,
    /// `lua/inspect.lua`
    pub inspect: Script,
    /// `lua/cancel.lua`
    pub cancel: Script,
    /// `lua/wake.lua`
    pub wake: Script,
    /// `lua/ready.lua`
    pub ready: Script,
    /// `lua/settle.lua`
    pub settle: Script,
    /// `lua/confirm.lua`
    pub confirm: Script,
}

impl Script {
    /// Puts the shared part behind the first line, which Redis wants to begin with `#!`.
    pub fn new(text: &str) -> Self {
        let (flags, body) = text.split_once('\n').unwrap_or((text, ""));
        let source = format!("{flags}\n{SHARED}\n{body}");
        let sha = fred::util::sha1_hash(&source);
        Self { source, sha }
    }
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            acquire: Script::new(include_str!("../../lua/acquire.lua")),
            extend: Script::new(include_str!("../../lua/extend.lua")),
            release: Script::new(include_str!("../../lua/release.lua")),
            break_lock: Script::new(include_str!("../../lua/break.lua")),
            inspect: Script::new(include_str!("../../lua/inspect.lua")),
            cancel: Script::new(include_str!("../../lua/cancel.lua")),
            wake: Script::new(include_str!("../../lua/wake.lua")),
            ready: Script::new(include_str!("../../lua/ready.lua")),
            settle: Script::new(include_str!("../../lua/settle.lua")),
            confirm: Script::new(include_str!("../../lua/confirm.lua")),
        }
    }
}
