//! Where an event stands among all events.

use std::{cmp::Ordering, fmt, str::FromStr};

/// The position of an event, `<epoch>.<ms>-<seq>.<index>`, and `<epoch>.<ms>-<seq>-<slot>.<index>` in a Cluster; that of an
/// end which was derived from a later grant has `.e` behind it. Opaque to clients: they compare cursors for equality only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Which recording it belongs to. Another epoch means that events may have been lost in between.
    pub epoch: Epoch,
    /// Which entry of the recording.
    pub entry: EntryId,
    /// In a Cluster, the slot whose recording has the entry. `None` comes before all slots.
    pub slot: Option<u16>,
    /// Which event of the entry, from 0.
    pub index: u32,
    /// Of an end that was derived from the event at this place, and comes before it: its number, from 0.
    pub derived: Option<u32>,
}

/// A recording without a gap, as far as Redis can promise one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

/// The id of an entry in a stream of Redis: milliseconds since 1970, and a number within the millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// Milliseconds since 1970, by the clock of Redis.
    pub ms: u64,
    /// The number within the millisecond.
    pub seq: u64,
}

/// The text is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCursor;

impl Cursor {
    /// Behind all events of an entry.
    pub const BEHIND: u32 = u32::MAX;

    /// Behind all events of an entry.
    pub fn behind(epoch: Epoch, entry: EntryId) -> Self {
        Self { epoch, entry, slot: None, index: Self::BEHIND, derived: None }
    }

    /// In a Cluster: behind all that was recorded before this millisecond, at all nodes.
    pub fn at(epoch: Epoch, ms: u64) -> Self {
        Self { epoch, entry: EntryId { ms, seq: 0 }, slot: None, index: 0, derived: None }
    }

    /// How two cursors of one epoch stand to each other.
    pub fn order(&self, other: &Self) -> Ordering {
        let place =
            |cursor: &Self| (cursor.entry, cursor.slot, cursor.index, cursor.derived.map_or(u64::MAX, u64::from));
        place(self).cmp(&place(other))
    }
}

impl Epoch {
    /// The most that fits: twelve hexadecimal digits.
    const BITS: u32 = 48;

    /// From a number below 2^48.
    pub fn new(number: u64) -> Option<Self> {
        (number >> Self::BITS == 0).then_some(Self(number))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

impl FromStr for Epoch {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let is_hexadecimal = text.len() == 12 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = u64::from_str_radix(text, 16).ok().filter(|_| is_hexadecimal);
        number.map(Self).ok_or(NoCursor)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for EntryId {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (ms, seq) = text.split_once('-').ok_or(NoCursor)?;
        Ok(Self { ms: digits(ms)?, seq: digits(seq)? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.entry)?;
        if let Some(slot) = self.slot {
            write!(f, "-{slot}")?;
        }
        match self.index {
            Self::BEHIND => f.write_str(".z")?,
            index => write!(f, ".{index}")?,
        }
        match self.derived {
            None => Ok(()),
            Some(0) => f.write_str(".e"),
            Some(number) => write!(f, ".e{number}"),
        }
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(NoCursor);
        let (epoch, entry) = (next()?.parse()?, next()?);
        let slot = entry.match_indices('-').nth(1).map(|(behind, _)| behind);
        let (entry, slot) = slot.map_or((entry, None), |at| (&entry[..at], Some(&entry[at + 1..])));
        let (entry, slot) = (entry.parse()?, slot.map(slot_number).transpose()?);
        let index = match next()? {
            "z" => Self::BEHIND,
            index => digits(index).ok().and_then(|index| u32::try_from(index).ok()).ok_or(NoCursor)?,
        };
        let derived = match parts.next() {
            None => None,
            Some("e") => Some(0),
            Some(text) => {
                let number = text.strip_prefix('e').ok_or(NoCursor)?;
                Some(digits(number).ok().and_then(|number| u32::try_from(number).ok()).ok_or(NoCursor)?)
            }
        };
        let cursor = Self { epoch, entry, slot, index, derived };
        // One position has one text.
        if parts.next().is_none() && cursor.to_string() == text { Ok(cursor) } else { Err(NoCursor) }
    }
}

/// The number of a slot of a Cluster.
fn slot_number(text: &str) -> Result<u16, NoCursor> {
    const SLOTS: u64 = 16_384;
    u16::try_from(digits(text)?).ok().filter(|slot| u64::from(*slot) < SLOTS).ok_or(NoCursor)
}

/// A whole number in decimal digits, without a sign.
fn digits(text: &str) -> Result<u64, NoCursor> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().map_err(|_| NoCursor) } else { Err(NoCursor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cursor_comes_back_from_its_text_and_no_other_text_is_a_cursor() {
        for text in [
            "00000000005f.1795803046430-0.0",
            "0123456789ab.5-7.12.e",
            "0123456789ab.5-7.12.e3",
            "0123456789ab.5-7.z",
            "0123456789ab.5-7-0.0",
            "0123456789ab.5-7-16383.12.e3",
        ] {
            assert_eq!(text.parse::<Cursor>().map(|cursor| cursor.to_string()).as_deref(), Ok(text));
        }
        for text in [
            "",
            ".",
            "5f.1-0.0",
            "0123456789AB.1-0.0",
            "0123456789ab.1-0",
            "0123456789ab.1.0",
            "0123456789ab.1-0.0.x",
            "0123456789ab.1-0.00",
            "0123456789ab.1-0.0.e0",
            "0123456789ab.+1-0.0",
            "0123456789ab.1-0.0.e.",
            "0123456789ab.-0.0",
            "0123456789ab.1-0-.0",
            "0123456789ab.1-0-07.0",
            "0123456789ab.1-0-16384.0",
            "0123456789ab.1-0-1-1.0",
            "0123456789ab.1-0.99999999999",
            "0123456789ab.99999999999999999999-0.0",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
        }
    }

    #[test]
    fn a_derived_end_comes_before_the_grant_that_it_was_derived_from() {
        let in_order =
            ["5-7.1", "5-7.2.e", "5-7.2.e1", "5-7.2", "5-7.z", "5-7-3.2.e", "5-7-3.2", "5-7-20.0", "5-8.0", "10-0.0"];
        let cursors = in_order.map(|text| format!("0123456789ab.{text}").parse::<Cursor>().expect("a cursor"));
        for pair in cursors.windows(2) {
            assert_eq!(pair[0].order(&pair[1]), Ordering::Less, "{} {}", pair[0], pair[1]);
        }
    }
}
