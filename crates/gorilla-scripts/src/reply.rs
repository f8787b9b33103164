//! Takes a script's reply apart: for each request a list, packed as MessagePack, that begins with the name of the outcome.

use redis_protocol::bytes::Bytes;
use rmp::{Marker, decode};
use rmp_serde::Deserializer;
use serde::{Deserialize, de::IgnoredAny};

use crate::grant::{Group, Holder, Part, Tenure};

/// The reply to each of so many requests that went together: packed, for [`Reader`], or the text of the error that Redis or
/// the script had with this request. `None` if these bytes are no such replies.
pub fn apart(packed: &Bytes, requests: usize) -> Option<Vec<Result<Bytes, String>>> {
    // Redis says the error of a request that went alone in place of all replies.
    if requests == 1 {
        return Some(vec![Ok(packed.clone())]);
    }
    let mut rest = &packed[..];
    let replies = (0..requests).map(|_| {
        let begin = rest;
        IgnoredAny::deserialize(&mut Deserializer::new(&mut rest)).ok()?;
        let reply = &begin[..begin.len() - rest.len()];
        // An error is a text, and a reply a list.
        Some(match decode::read_str_len(&mut &*reply) {
            Ok(length) => Err(String::from_utf8_lossy(&reply[reply.len() - length as usize..]).into_owned()),
            Err(_) => Ok(packed.slice_ref(reply)),
        })
    });
    let replies = replies.collect::<Option<_>>()?;
    rest.is_empty().then_some(replies)
}

/// The rest of a reply, read from front to back.
pub struct Reader {
    packed: Bytes,
    /// Where the next value begins.
    at: usize,
    /// How many values are left.
    left: u32,
}

/// A reply that no script gives. It comes from the content of a key, or the server is not a Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

/// A value of a reply.
enum Item<'a> {
    Text(&'a str),
    Number(i64),
}

impl Reader {
    /// Splits the name of the outcome from its values.
    pub fn open(packed: Bytes) -> Result<(String, Self), Malformed> {
        let mut rest = &packed[..];
        let left = decode::read_array_len(&mut rest).map_err(|_| malformed("no packed list"))?;
        let at = packed.len() - rest.len();
        let mut reader = Self { packed, at, left };
        let outcome = reader.text()?;
        Ok((outcome, reader))
    }

    /// The next value.
    fn item(&mut self) -> Result<Item<'_>, Malformed> {
        self.left = self.left.checked_sub(1).ok_or_else(|| malformed("a value too few"))?;
        let mut rest = &self.packed[self.at..];
        let item = match rest.first().map(|byte| Marker::from_u8(*byte)) {
            Some(Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32) => {
                let (text, behind) =
                    decode::read_str_from_slice(rest).map_err(|_| malformed("text that is not UTF-8"))?;
                rest = behind;
                Item::Text(text)
            }
            _ => decode::read_int(&mut rest)
                .map(Item::Number)
                .map_err(|_| malformed("a value that is neither text nor a whole number"))?,
        };
        self.at = self.packed.len() - rest.len();
        Ok(item)
    }

    /// Whether no value is left.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The next value as text.
    pub fn text(&mut self) -> Result<String, Malformed> {
        Ok(match self.item()? {
            Item::Text(text) => text.into(),
            Item::Number(number) => number.to_string(),
        })
    }

    /// The next value as a whole number. The numbers of a hash come as text.
    pub fn number<N: TryFrom<i64>>(&mut self) -> Result<N, Malformed> {
        let number = match self.item()? {
            Item::Number(number) => Some(number),
            Item::Text(text) => text.parse().ok(),
        };
        number.and_then(|number| N::try_from(number).ok()).ok_or_else(|| malformed("a value that is not a number"))
    }

    /// The next value as text; `None` for an empty text.
    pub fn some_text(&mut self) -> Result<Option<String>, Malformed> {
        Ok(Some(self.text()?).filter(|text| !text.is_empty()))
    }

    /// The next value as a whole number; `None` for 0.
    pub fn some_number(&mut self) -> Result<Option<u64>, Malformed> {
        Ok(Some(self.number()?).filter(|number| *number > 0))
    }

    /// All values that are left, as whole numbers.
    pub fn numbers<N: TryFrom<i64>>(&mut self) -> Result<Vec<N>, Malformed> {
        (0..self.left).map(|_| self.number()).collect()
    }

    /// Owner, fence, ttl.
    pub fn holder(&mut self) -> Result<Holder, Malformed> {
        Ok(Holder { owner: self.text()?, fence: self.number()?, ttl: self.number()? })
    }

    /// A limit, or none.
    pub fn limit(&mut self) -> Result<Option<u32>, Malformed> {
        let text = self.text()?;
        if text == "none" {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| malformed("a limit that is not a number"))
    }

    /// Permits, limit, floor.
    pub fn part(&mut self) -> Result<Part, Malformed> {
        Ok(Part { permits: self.number()?, limit: self.limit()?, floor: self.number()? })
    }

    /// Used, limit, holders.
    pub fn group(&mut self) -> Result<Group, Malformed> {
        Ok(Group { used: self.number()?, limit: self.limit()?, holders: self.number()? })
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
            by: None,
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

    /// Any bytes, and bytes that are nearly a reply: a list of texts and other values, and something behind them.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let text = ".{0,40}".prop_map(|text| rmp_serde::to_vec(&text));
        let digits = "[0-9+.eE-]{0,22}".prop_map(|text| rmp_serde::to_vec(&text));
        let number = any::<i64>().prop_map(|number| rmp_serde::to_vec(&number));
        let other = any::<(f64, bool, Option<u8>)>().prop_map(|other| rmp_serde::to_vec(&other));
        let values = vec(prop_oneof![3 => text, 2 => digits, 4 => number, 1 => other], 0..12);
        let packed = (values, vec(any::<u8>(), 0..4)).prop_map(|(values, behind)| {
            let head = [0x90 | values.len() as u8];
            let values = values.into_iter().flat_map(|value| value.expect("a value can be packed"));
            head.into_iter().chain(values).chain(behind).collect()
        });
        prop_oneof![vec(any::<u8>(), 0..60), packed]
    }

    /// PROPTEST_CASES may ask for more cases. Cases that failed are in the message, so no file keeps them.
    fn config() -> ProptestConfig {
        let default = ProptestConfig::default();
        ProptestConfig { cases: default.cases.max(2000), failure_persistence: None, ..default }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn any_bytes_are_values_or_malformed_and_never_a_panic(bytes in bytes(), readers in vec(0..READERS.len(), 0..12)) {
            match Reader::open(bytes.clone().into()) {
                Ok((_, mut reply)) => {
                    let mut count = 1;
                    for reader in readers {
                        let read = READERS[reader](&mut reply);
                        prop_assert!(matches!(read, Ok(()) | Err(Malformed(_))), "{read:?}");
                        count += 1;
                        // A value is never made up: what was read is at most what was there.
                        prop_assert!(read.is_err() || count <= bytes.len(), "{count} values of {bytes:?}");
                    }
                }
                failure => prop_assert!(failure.is_err()),
            }
        }

        #[test]
        fn any_bytes_come_apart_or_do_not_and_never_make_a_panic(bytes in bytes(), requests in 0..9_usize) {
            if let Some(replies) = apart(&bytes.into(), requests) {
                prop_assert_eq!(replies.len(), requests);
            }
        }

        #[test]
        fn replies_and_errors_come_apart_as_they_were_put_together(
            all in vec(prop_oneof![any::<Vec<u64>>().prop_map(Ok), ".{0,40}".prop_map(Err::<Vec<u64>, _>)], 2..9),
            behind in 1..u8::MAX,
        ) {
            let pack = |reply: &Result<Vec<u64>, String>| match reply {
                Ok(list) => rmp_serde::to_vec(list),
                Err(error) => rmp_serde::to_vec(error),
            };
            let packed: Vec<_> = all.iter().map(|reply| pack(reply).expect("it can be packed")).collect();
            let mut together = packed.concat();
            let expected = all.into_iter().zip(&packed).map(|(reply, packed)| reply.map(|_| packed.clone().into()));
            let expected: Vec<Result<Bytes, String>> = expected.collect();
            prop_assert_eq!(apart(&together.clone().into(), expected.len()), Some(expected.clone()));
            prop_assert_eq!(apart(&together.clone().into(), expected.len() + 1), None);
            together.push(behind);
            prop_assert_eq!(apart(&together.into(), expected.len()), None);
        }

        #[test]
        fn a_tenure_is_read_as_it_was_written(
            id in ".{0,40}", owner in ".{1,40}", fence in 0..1i64 << 53, times in any::<[i64; 3]>(), ttl in 0..i64::MAX,
        ) {
            let [created, updated, expires] = times;
            // Numbers come as numbers, or as the text of a hash.
            let values = ("held", &id, &owner, "[1.0]", fence.to_string(), created, updated, expires.to_string(), ttl);
            let packed = rmp_serde::to_vec(&values).expect("values can be packed");
            let Ok((outcome, mut reply)) = Reader::open(packed.into()) else { panic!("it is a list") };
            let Ok(tenure) = reply.tenure() else { panic!("all is there") };
            prop_assert_eq!(outcome, "held");
            prop_assert_eq!((tenure.id, tenure.owner, tenure.metadata.as_str()), (id, owner, "[1.0]"));
            prop_assert_eq!((tenure.fence as i64, tenure.ttl as i64), (fence, ttl));
            prop_assert_eq!([tenure.created, tenure.updated, tenure.expires], times);
            prop_assert!(reply.text().is_err());
        }
    }
}
