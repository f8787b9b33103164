//! What can happen to locks, in the words of the wire.

/// The types of events.
pub const EVENT_TYPES: [&str; 10] =
    ["granted", "extended", "released", "expired", "broken", "undone", "queued", "left", "leader", "vacant"];

/// The type of the body of a stream.
pub const EVENT_STREAM: &str = "text/event-stream";
