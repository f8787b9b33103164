//! The place of a record in its chain, as a line has it.

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The version of the form of records.
pub const VERSION: u64 = 1;
/// What the first record of a chain has in place of a hash.
pub const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What a line says of its place. Other members are left alone.
#[derive(Debug, Deserialize)]
pub struct Link {
    /// The version of the form.
    pub v: u64,
    /// From 1.
    pub seq: u64,
    /// The name of the chain.
    pub chain: String,
    /// The hash of the line before.
    pub prev: String,
    /// What the record is about.
    pub event: String,
    /// What came of it.
    pub outcome: String,
}

impl Link {
    /// The place of the record that a line is, if it is one.
    pub fn of(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

/// The SHA-256 of a line without its newline, in hex.
pub fn hash(line: &[u8]) -> String {
    Sha256::digest(line).iter().fold(String::with_capacity(64), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or_default());
        }
        text
    })
}
