//! Entries of a stream of events.

use bytes::Bytes;
use fred::types::Resp3Frame;
use gorilla_domain::{
    Failure,
    event::{EntryId, Epoch},
};

use crate::store::link;

/// An entry of the recording.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// In a Cluster, the slot whose stream has it.
    pub slot: Option<u16>,
    /// The changes that it has: `gorilla_scripts::read_noted`.
    pub noted: Bytes,
    /// The epoch that begins with it, if the stream was made anew.
    pub begun: Option<Epoch>,
}

/// What a reply that has no entries is.
pub const MALFORMED: link::Error = link::Error::Unexpected("Redis did not reply with entries of a stream");

/// Reads a list of entries.
pub fn entries(frame: Resp3Frame, slot: Option<u16>) -> Result<Vec<Entry>, link::Error> {
    let Resp3Frame::Array { data, .. } = frame else { return Err(MALFORMED) };
    data.into_iter().map(|frame| entry(frame, slot).ok_or(MALFORMED)).collect()
}

fn entry(frame: Resp3Frame, slot: Option<u16>) -> Option<Entry> {
    let Resp3Frame::Array { data, .. } = frame else { return None };
    let [Resp3Frame::BlobString { data: id, .. }, Resp3Frame::Array { data: fields, .. }] = data.as_slice() else {
        return None;
    };
    let id = std::str::from_utf8(id).ok()?.parse().ok()?;
    // An entry without events is only a position.
    let (mut noted, mut begun) = (Bytes::new(), None);
    for pair in fields.chunks_exact(2) {
        if let [Resp3Frame::BlobString { data: name, .. }, Resp3Frame::BlobString { data: value, .. }] = pair {
            match &name[..] {
                b"e" => noted = value.clone(),
                b"begun" => begun = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
                _ => {}
            }
        }
    }
    Some(Entry { id, slot, noted, begun })
}

/// The content of a key is not what a script writes.
pub fn malformed(what: &str) -> Failure {
    Failure::Broken(format!("the stream of events has {what}; was its key changed by hand?"))
}
