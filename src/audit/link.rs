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
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digits = |byte: u8| [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
    Sha256::digest(line).into_iter().flat_map(digits).collect()
}
