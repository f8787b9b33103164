//! Takes a script's reply apart: a list that begins with the name of the outcome.

use redis_protocol::resp3::types::BytesFrame;

use crate::grant::{Holder, Tenure};

/// The rest of a reply, read from front to back.
pub struct Reader {
    items: std::vec::IntoIter<BytesFrame>,
}

/// A reply that no script gives. It comes from the content of a key, or the server is not a Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl Reader {
    /// Splits the name of the outcome from its values.
    pub fn open(frame: BytesFrame) -> Result<(String, Self), Malformed> {
        let BytesFrame::Array { data, .. } = frame else { return Err(malformed("no list")) };
        let mut reader = Self { items: data.into_iter() };
        let outcome = reader.text()?;
        Ok((outcome, reader))
    }

    /// The next value as text.
    pub fn text(&mut self) -> Result<String, Malformed> {
        match self.items.next() {
            Some(BytesFrame::BlobString { data, .. } | BytesFrame::SimpleString { data, .. }) => {
                String::from_utf8(data.into()).map_err(|_| malformed("text that is not UTF-8"))
            }
            Some(BytesFrame::Number { data, .. }) => Ok(data.to_string()),
            _ => Err(malformed("a value is missing or not text")),
        }
    }

    /// The next value as a whole number. The numbers of a hash come as text.
    pub fn number<N: TryFrom<i64>>(&mut self) -> Result<N, Malformed> {
        let number = match self.items.next() {
            Some(BytesFrame::Number { data, .. }) => Some(data),
            Some(BytesFrame::BlobString { data, .. }) => {
                std::str::from_utf8(&data).ok().and_then(|text| text.parse().ok())
            }
            _ => None,
        };
        number
            .and_then(|number| N::try_from(number).ok())
            .ok_or_else(|| malformed("a value is missing or not a number"))
    }

    /// The next value as a whole number; `None` for 0.
    pub fn some_number(&mut self) -> Result<Option<u64>, Malformed> {
        Ok(Some(self.number()?).filter(|number| *number > 0))
    }

    /// Owner, fence, ttl.
    pub fn holder(&mut self) -> Result<Holder, Malformed> {
        Ok(Holder { owner: self.text()?, fence: self.number()?, ttl: self.number()? })
    }

    /// Id, owner, metadata, fence, created, updated, expires, ttl.
    pub fn tenure(&mut self) -> Result<Tenure, Malformed> {
        Ok(Tenure {
            id: self.text()?,
            owner: self.text()?,
            metadata: self.text()?,
            fence: self.number()?,
            created: self.number()?,
            updated: self.number()?,
            expires: self.number()?,
            ttl: self.number()?,
        })
    }
}

/// For an outcome that a script doesn't have.
pub(crate) fn unexpected<T>(outcome: &str) -> Result<T, Malformed> {
    Err(malformed(&format!("the outcome {outcome:?}")))
}

fn malformed(what: &str) -> Malformed {
    Malformed(format!("a script replied with {what}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    type Reads = fn(&mut Reader) -> Result<(), Malformed>;

    /// Each way to read the next value.
    const READERS: [Reads; 5] = [
        |reply| reply.text().map(drop),
        |reply| reply.number::<i64>().map(drop),
        |reply| reply.number::<u64>().map(drop),
        |reply| reply.holder().map(drop),
        |reply| reply.tenure().map(drop),
    ];

    fn blob(data: impl Into<Vec<u8>>) -> BytesFrame {
        BytesFrame::BlobString { data: data.into().into(), attributes: None }
    }

    fn number(data: i64) -> BytesFrame {
        BytesFrame::Number { data, attributes: None }
    }

    fn list(data: Vec<BytesFrame>) -> BytesFrame {
        BytesFrame::Array { data, attributes: None }
    }

    /// Any frame, with attributes and frames within frames.
    fn frame() -> impl Strategy<Value = BytesFrame> {
        let bytes = || prop_oneof![vec(any::<u8>(), 0..12), "[0-9+.eE-]{0,22}".prop_map(String::into_bytes)];
        let leaf = prop_oneof![
            4 => bytes().prop_map(blob),
            4 => any::<i64>().prop_map(number),
            1 => Just(BytesFrame::Null),
            1 => any::<bool>().prop_map(|data| BytesFrame::Boolean { data, attributes: None }),
            1 => any::<f64>().prop_map(|data| BytesFrame::Double { data, attributes: None }),
            1 => bytes().prop_map(|data| BytesFrame::BigNumber { data: data.into(), attributes: None }),
            1 => bytes().prop_map(|data| BytesFrame::SimpleString { data: data.into(), attributes: None }),
            1 => bytes().prop_map(|data| BytesFrame::BlobError { data: data.into(), attributes: None }),
            1 => ".{0,9}".prop_map(|data| BytesFrame::SimpleError { data: data.into(), attributes: None }),
            1 => bytes().prop_map(|data| BytesFrame::ChunkedString(data.into())),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            let attributes = HashMap::from([(blob("a"), number(1))]);
            prop_oneof![
                4 => vec(inner.clone(), 0..12).prop_map(list),
                1 => vec(inner.clone(), 0..6).prop_map(|data| BytesFrame::Push { data, attributes: None }),
                1 => vec(inner, 0..6).prop_map(move |data| {
                    BytesFrame::Array { data, attributes: Some(attributes.clone()) }
                }),
            ]
        })
    }

    /// PROPTEST_CASES may ask for more cases. Cases that failed are in the message, so no file keeps them.
    fn config() -> ProptestConfig {
        let default = ProptestConfig::default();
        ProptestConfig { cases: default.cases.max(2000), failure_persistence: None, ..default }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn any_frame_is_values_or_broken_and_never_a_panic(frame in frame(), readers in vec(0..READERS.len(), 0..12)) {
            match Reader::open(frame.clone()) {
                Ok((_, mut reply)) => {
                    let BytesFrame::Array { data, .. } = &frame else { panic!("{frame:?} is not a list") };
                    let mut count = 1;
                    for reader in readers {
                        let read = READERS[reader](&mut reply);
                        prop_assert!(matches!(read, Ok(()) | Err(Malformed(_))), "{read:?}");
                        count += 1;
                        // A value is never made up: what was read is at most what was there.
                        prop_assert!(read.is_err() || count <= data.len(), "{count} values of {frame:?}");
                    }
                }
                failure => prop_assert!(failure.is_err()),
            }
        }

        #[test]
        fn a_tenure_is_read_as_it_was_written(
            id in ".{0,40}", owner in ".{1,40}", fence in 0..1i64 << 53, times in any::<[i64; 3]>(), ttl in 0..i64::MAX,
        ) {
            let [created, updated, expires] = times;
            // Numbers come as numbers, or as the text of a hash.
            let values = [blob("held"), blob(id.as_str()), blob(owner.as_str()), blob("[1.0]"), blob(fence.to_string())];
            let values = values.into_iter().chain([created, updated, expires, ttl].map(number));
            let Ok((outcome, mut reply)) = Reader::open(list(values.collect())) else { panic!("it is a list") };
            let Ok(tenure) = reply.tenure() else { panic!("all is there") };
            prop_assert_eq!(outcome, "held");
            prop_assert_eq!((tenure.id, tenure.owner, tenure.metadata.as_str()), (id, owner, "[1.0]"));
            prop_assert_eq!((tenure.fence as i64, tenure.ttl as i64), (fence, ttl));
            prop_assert_eq!([tenure.created, tenure.updated, tenure.expires], times);
            prop_assert!(reply.text().is_err());
        }
    }
}
