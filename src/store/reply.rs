//! Takes a script's reply apart: a list that begins with the name of the outcome.

use fred::types::Resp3Frame;

use crate::lock::{Failure, Holder, Metadata, Tenure};

/// The rest of a reply, read from front to back.
pub struct Reply {
    items: std::vec::IntoIter<Resp3Frame>,
}

impl Reply {
    /// Splits the name of the outcome from its values.
    pub fn open(frame: Resp3Frame) -> Result<(String, Self), Failure> {
        let Resp3Frame::Array { data, .. } = frame else { return Err(malformed("no list")) };
        let mut reply = Self { items: data.into_iter() };
        let outcome = reply.text()?;
        Ok((outcome, reply))
    }

    /// The next value as text.
    pub fn text(&mut self) -> Result<String, Failure> {
        match self.items.next() {
            Some(Resp3Frame::BlobString { data, .. } | Resp3Frame::SimpleString { data, .. }) => {
                String::from_utf8(data.into()).map_err(|_| malformed("text that is not UTF-8"))
            }
            Some(Resp3Frame::Number { data, .. }) => Ok(data.to_string()),
            _ => Err(malformed("a value is missing or no text")),
        }
    }

    /// The next value as a whole number; in a hash they are text.
    pub fn number<N: TryFrom<i64>>(&mut self) -> Result<N, Failure> {
        let number = match self.items.next() {
            Some(Resp3Frame::Number { data, .. }) => Some(data),
            Some(Resp3Frame::BlobString { data, .. }) => {
                std::str::from_utf8(&data).ok().and_then(|text| text.parse().ok())
            }
            _ => None,
        };
        number.and_then(|number| N::try_from(number).ok()).ok_or_else(|| malformed("a value is missing or no number"))
    }

    /// Metadata as it was stored.
    pub fn metadata(&mut self) -> Result<Metadata, Failure> {
        Metadata::from_stored(self.text()?).ok_or_else(|| malformed("metadata that is no JSON"))
    }

    /// Owner, fence, ttl.
    pub fn holder(&mut self) -> Result<Holder, Failure> {
        Ok(Holder { owner: self.text()?, fence: self.number()?, ttl: self.number()? })
    }

    /// Id, owner, metadata, fence, created, updated, expires, ttl.
    pub fn tenure(&mut self) -> Result<Tenure, Failure> {
        Ok(Tenure {
            id: self.text()?,
            owner: self.text()?,
            metadata: self.metadata()?,
            fence: self.number()?,
            created: self.number()?,
            updated: self.number()?,
            expires: self.number()?,
            ttl: self.number()?,
        })
    }
}

/// The failure for an outcome that a script doesn't have.
pub fn unexpected(outcome: &str) -> Failure {
    malformed(&format!("the outcome {outcome:?}"))
}

fn malformed(what: &str) -> Failure {
    Failure::Broken(format!("a script replied with {what}; was its key changed by hand?"))
}
