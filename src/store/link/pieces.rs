//! What a request is sent with.

use std::ops::Range;

use bytes::Bytes;
use fred::{bytes_utils::Str, types::Value};

/// The keys and arguments of a request, as pieces of one buffer: then they cost no allocation each, however often they are
/// sent.
pub struct Pieces {
    buffer: Bytes,
    ends: Vec<usize>,
    /// How many of the pieces are keys.
    pub keys: usize,
}

impl Pieces {
    /// Keys first.
    pub fn new(keys: &[&str], args: &[&str]) -> Self {
        let texts = || keys.iter().chain(args);
        let mut buffer = Vec::with_capacity(texts().map(|text| text.len()).sum());
        let mut ends = Vec::with_capacity(keys.len() + args.len());
        for text in texts() {
            buffer.extend_from_slice(text.as_bytes());
            ends.push(buffer.len());
        }
        Self { buffer: buffer.into(), ends, keys: keys.len() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The call of a script, by its name or its text, with all of them.
    pub fn call(&self, script: &Str) -> Vec<Value> {
        let mut call = Vec::with_capacity(2 + self.len());
        call.extend([Value::String(script.clone()), (self.keys as i64).into()]);
        call.extend((0..self.len()).map(|piece| self.value(piece)));
        call
    }

    /// One of them, as fred takes it.
    pub fn value(&self, piece: usize) -> Value {
        Value::Bytes(self.buffer.slice(self.range(piece)))
    }

    /// One of them.
    pub fn text(&self, piece: usize) -> &[u8] {
        &self.buffer[self.range(piece)]
    }

    fn range(&self, piece: usize) -> Range<usize> {
        let begin = piece.checked_sub(1).map_or(0, |before| self.ends[before]);
        begin..self.ends[piece]
    }
}
