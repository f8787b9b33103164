//! Reads what scripts have noted of changes: an entry of the stream of events, as `lua/lib/events.lua` writes it.

use rmp::{Marker, decode};

/// A change that a script made. Times are in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The key of the lock.
    pub lock: String,
    /// When it was made.
    pub at: i64,
    /// The id of the tenure; with `Queued` and `Left` that of the place.
    pub id: String,
    /// The label of the holder or of the waiter.
    pub owner: String,
    /// What was made.
    pub change: NotedChange,
}

/// What a script made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are named as in lua/lib/events.lua; durations are in milliseconds")]
pub enum NotedChange {
    Granted {
        fence: u64,
        ends: i64,
        waited: Option<u64>,
        last: Option<u64>,
        metadata: Option<String>,
        permits: Option<u32>,
        floor: Option<u64>,
        by: Option<String>,
    },
    /// `settled` says how the grant ends then, if that is settled.
    Extended {
        fence: u64,
        ends: i64,
        settled: Option<Settlement>,
    },
    Released {
        fence: u64,
        held: Option<u64>,
    },
    Expired {
        fence: u64,
        held: Option<u64>,
        ended: i64,
    },
    Broken {
        fence: u64,
        held: Option<u64>,
        by: Option<String>,
        reason: Option<String>,
    },
    Undone {
        fence: u64,
        cause: String,
    },
    Queued {
        position: u64,
        waiting: u64,
        holder_fence: Option<u64>,
    },
    Left {
        waited: u64,
        cause: String,
    },
}

/// How a grant ends whose end is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Its holder has given the lock back for later.
    Released,
    /// Somebody breaks the lock, with a grace.
    Broken {
        /// The name of the identity that breaks it, if there is one.
        by: Option<String>,
        /// Why, if somebody said so.
        reason: Option<String>,
    },
}

/// The changes that an entry has, in the order in which they were made. What this version doesn't know is left out: it
/// comes from a later version.
pub fn read_noted(packed: &[u8]) -> Vec<Option<Noted>> {
    let (mut rest, mut all) = (packed, Vec::new());
    while let Some(values) = next(&mut rest) {
        all.push(noted(Values(values.into_iter())));
    }
    all
}

enum Value<'a> {
    Text(&'a str),
    Number(i64),
    Absent,
}

/// The values of the next change.
fn next<'a>(rest: &mut &'a [u8]) -> Option<Vec<Value<'a>>> {
    let Value::Number(count) = value(rest)? else { return None };
    (0..count).map(|_| value(rest)).collect()
}

fn value<'a>(rest: &mut &'a [u8]) -> Option<Value<'a>> {
    match Marker::from_u8(*rest.first()?) {
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
            let (text, behind) = decode::read_str_from_slice(*rest).ok()?;
            *rest = behind;
            Some(Value::Text(text))
        }
        Marker::Null | Marker::False => {
            *rest = &rest[1..];
            Some(Value::Absent)
        }
        _ => decode::read_int(rest).ok().map(Value::Number),
    }
}

struct Values<'a>(std::vec::IntoIter<Value<'a>>);

impl Values<'_> {
    fn text(&mut self) -> Option<String> {
        match self.0.next()? {
            Value::Text(text) => Some(text.into()),
            Value::Number(number) => Some(number.to_string()),
            Value::Absent => None,
        }
    }

    fn number<N: TryFrom<i64>>(&mut self) -> Option<N> {
        match self.0.next()? {
            Value::Number(number) => number.try_into().ok(),
            Value::Text(text) => text.parse::<i64>().ok()?.try_into().ok(),
            Value::Absent => None,
        }
    }
}

fn noted(mut values: Values) -> Option<Noted> {
    let kind = values.text()?;
    let (lock, at, id, owner) = (values.text()?, values.number()?, values.text()?, values.text()?);
    let mut fence = || values.number::<u64>();
    let change = match kind.as_str() {
        "granted" => NotedChange::Granted {
            fence: fence()?,
            ends: values.number()?,
            waited: values.number(),
            last: values.number(),
            metadata: values.text(),
            permits: values.number(),
            floor: values.number(),
            by: values.text(),
        },
        "extended" => NotedChange::Extended {
            fence: fence()?,
            ends: values.number()?,
            settled: match values.text().as_deref() {
                Some("released") => Some(Settlement::Released),
                Some("broken") => Some(Settlement::Broken { by: values.text(), reason: values.text() }),
                _ => None,
            },
        },
        "released" => NotedChange::Released { fence: fence()?, held: values.number() },
        "expired" => NotedChange::Expired { fence: fence()?, held: values.number(), ended: values.number()? },
        "broken" => {
            NotedChange::Broken { fence: fence()?, held: values.number(), by: values.text(), reason: values.text() }
        }
        "undone" => {
            let fence = fence()?;
            // For how long it was held, which listeners are not told.
            let _: Option<u64> = values.number();
            NotedChange::Undone { fence, cause: values.text()? }
        }
        "queued" => {
            NotedChange::Queued { position: values.number()?, waiting: values.number()?, holder_fence: values.number() }
        }
        "left" => NotedChange::Left { waited: values.number()?, cause: values.text()? },
        _ => return None,
    };
    Some(Noted { lock, at, id, owner, change })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_changes_or_nothing_and_never_a_panic(bytes in vec(any::<u8>(), 0..200)) {
            prop_assert!(read_noted(&bytes).len() <= bytes.len());
        }
    }

    #[test]
    fn what_is_not_known_is_left_out_and_keeps_its_place() {
        let mut packed = rmp_serde::to_vec(&5).expect("a number");
        for value in ["painted", "gorilla:{a}:lock", "5", "id", "owner"] {
            packed.extend(rmp_serde::to_vec(&value).expect("a text"));
        }
        packed.extend(rmp_serde::to_vec(&8).expect("a number"));
        for value in ["released", "gorilla:{a}:lock", "1700000000000", "id", "owner", "7", "12", "of a later version"] {
            packed.extend(rmp_serde::to_vec(&value).expect("a text"));
        }
        let all = read_noted(&packed);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0], None);
        let released = all[1].as_ref().expect("it is known");
        assert_eq!((released.at, released.owner.as_str()), (1_700_000_000_000, "owner"));
        assert_eq!(released.change, NotedChange::Released { fence: 7, held: Some(12) });
    }
}
