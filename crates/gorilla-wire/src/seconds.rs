//! Lengths of time as JSON has them.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Number;

/// A length of whole milliseconds as seconds in JSON: whole numbers as integers.
pub fn seconds(duration: Duration) -> Number {
    let milliseconds = duration.as_millis() as u64;
    let fraction = || Number::from_f64(milliseconds as f64 / 1000.0);
    if milliseconds.is_multiple_of(1000) { None } else { fraction() }.unwrap_or_else(|| (milliseconds / 1000).into())
}

/// For members that are seconds.
pub(crate) mod as_seconds {
    use super::*;

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(D::Error::custom)?;
        // The wire has milliseconds; a binary fraction may be a nanosecond less.
        Ok(Duration::from_millis((seconds * 1000.0).round() as u64))
    }

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        seconds(*duration).serialize(serializer)
    }
}

/// For members that are milliseconds.
pub(crate) mod as_milliseconds {
    use super::*;

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_millis() as u64)
    }
}
