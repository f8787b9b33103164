//! The access file as TOML has it. Its values are checked in `generation`.

use serde::Deserialize;

use super::problems::Problems;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    #[serde(default)]
    pub role: Vec<RoleEntry>,
    #[serde(default)]
    pub key: Vec<KeyEntry>,
}

/// A `[[role]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleEntry {
    pub name: String,
    pub rules: Vec<RuleEntry>,
    #[serde(default)]
    pub quota: QuotaEntry,
}

/// A rule of a role.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleEntry {
    pub prefix: Option<String>,
    pub name: Option<String>,
    pub verbs: Vec<String>,
}

/// The quota of a role.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaEntry {
    pub max_held: Option<u32>,
    pub max_waiters: Option<u32>,
    pub per_second: Option<u32>,
    pub burst: Option<u32>,
    pub max_timeout: Option<String>,
    pub max_wait: Option<String>,
}

/// A `[[key]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    pub name: String,
    pub hashes: Vec<String>,
    pub role: String,
    pub expires: Option<Expiry>,
    pub owner_prefix: Option<String>,
}

/// A time, as text or as TOML has times.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Expiry {
    Text(String),
    Time(toml::value::Datetime),
}

impl File {
    /// Reads the text of a file. The problem never repeats a line of the file, because that may have a key by mistake.
    pub fn read(text: &str) -> Result<Self, Problems> {
        toml::from_str(text).map_err(|error| {
            let place = error.span().and_then(|span| text.get(..span.start)).map(|before| {
                let line = before.matches('\n').count() + 1;
                let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
                format!("line {line}, column {column}: ")
            });
            Problems(vec![format!("{}{}.", place.unwrap_or_default(), error.message().replace('\n', ": "))])
        })
    }
}
