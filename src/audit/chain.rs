//! Makes lines of records: each has the hash of the line before.

use std::time::SystemTime;

use uuid::Uuid;

use super::link::{Link, NO_HASH, VERSION, hash};
use crate::rfc3339::Rfc3339;

/// A chain, with the head that it has so far.
#[derive(Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub id: String,
    /// The number of the last record; 0 if there is none.
    pub seq: u64,
    /// The hash of the last line.
    pub head: String,
}

/// What the end of a file has.
#[derive(Debug, PartialEq, Eq)]
pub struct Tail {
    /// The chain up to the last whole line that is a record, if there is one.
    pub chain: Option<Chain>,
    /// Whether the last line has no newline.
    pub is_open: bool,
    /// In bytes: the last line, if it has no newline and is not a record.
    pub torn: u64,
}

impl Default for Chain {
    /// A new chain.
    fn default() -> Self {
        Self { id: Uuid::now_v7().to_string(), seq: 0, head: NO_HASH.into() }
    }
}

impl Chain {
    /// Writes the next line, with its newline. `record` is a JSON object that is not empty.
    pub fn append(&mut self, text: &mut Vec<u8>, at: SystemTime, record: &str) {
        self.seq += 1;
        let begin = text.len();
        // Piece by piece: to format it would take as long as to hash it.
        for piece in [
            r#"{"v":"#,
            itoa::Buffer::new().format(VERSION),
            r#","time":""#,
            Rfc3339::to_micros(at).as_str(),
            r#"","seq":"#,
            itoa::Buffer::new().format(self.seq),
            r#","chain":""#,
            &self.id,
            r#"","prev":""#,
            &self.head,
            r#"","#,
            record.strip_prefix('{').unwrap_or_default(),
        ] {
            text.extend_from_slice(piece.as_bytes());
        }
        self.head = hash(&text[begin..]);
        text.push(b'\n');
    }
}

impl Tail {
    /// Reads the last bytes of a file.
    pub fn of(bytes: &[u8]) -> Self {
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let rest = &bytes[whole..];
        let is_torn = !rest.is_empty() && Link::of(rest).is_none();
        let chain = bytes.split(|byte| *byte == b'\n').rev().find_map(|line| {
            let link = Link::of(line)?;
            Some(Chain { id: link.chain, seq: link.seq, head: hash(line) })
        });
        Self { chain, is_open: !rest.is_empty(), torn: if is_torn { rest.len() as u64 } else { 0 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_goes_on_from_the_last_whole_line() {
        let (mut chain, mut text) = (Chain::default(), Vec::new());
        for _ in 0..3 {
            chain.append(&mut text, SystemTime::now(), r#"{"event":"grant","outcome":"granted"}"#);
        }
        assert_eq!(Tail::of(&text).chain.as_ref(), Some(&chain));
        // Only the newline is missing.
        let open = Tail::of(&text[..text.len() - 1]);
        assert_eq!((open.chain.as_ref(), open.is_open, open.torn), (Some(&chain), true, 0));
        let torn = br#"{"v":1,"time":"2026"#;
        text.extend_from_slice(torn);
        assert_eq!(Tail::of(&text), Tail { chain: Some(chain), is_open: true, torn: torn.len() as u64 });
        assert_eq!(Tail::of(b"no record\n"), Tail { chain: None, is_open: false, torn: 0 });
        assert_eq!(Tail::of(b""), Tail { chain: None, is_open: false, torn: 0 });
    }
}
