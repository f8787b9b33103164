//! What contestants.toml says: the order of all contestants, and how to start and ask those without code of their own.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::language::{Exchange, Language};

/// What contestants.toml says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub order: Vec<String>,
    pub servers: BTreeMap<String, DescribedServer>,
    pub languages: BTreeMap<String, Language>,
    pub libraries: BTreeMap<String, DescribedLibrary>,
}

/// How to start a server, and how clients speak with it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescribedServer {
    pub what: String,
    pub version: Option<String>,
    pub start: String,
    #[serde(default)]
    pub config: String,
    pub get: String,
    pub language: String,
    pub ready: Exchange,
}

/// A library for locks in Redis.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescribedLibrary {
    pub what: String,
    pub install: Vec<Vec<String>>,
    /// What the installation needs, and how to get that.
    pub needs: String,
    pub version: Vec<String>,
    pub clients: Vec<String>,
}

pub fn file() -> &'static File {
    static FILE: LazyLock<File> =
        LazyLock::new(|| toml::from_str(include_str!("../contestants.toml")).expect("contestants.toml is well-formed"));
    &FILE
}
