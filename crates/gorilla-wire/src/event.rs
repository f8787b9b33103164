//! What happens to locks, as the stream, the long poll and the history tell it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Mode;

/// One thing that happened to a lock. Which members it has beside `type`, `resource` and `at` depends on its type. It
/// never has a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Event"))]
pub struct Event<Text = String, Json = Value> {
    /// What happened: a type of this version or of a later one.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::event_type"))]
    pub kind: Text,
    /// The position of the event, for `since` and `before`. Absent in a `leader` or `vacant` that comes with
    /// the states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::text"))]
    pub cursor: Option<Text>,
    /// The name of the lock.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub resource: Text,
    /// The holder; with `queued` and `left` the owner of the request that waits. Not in `vacant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub owner: Option<Text>,
    /// The fence of the grant. Not in `queued`, `left` and `vacant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::fence"))]
    pub fence: Option<u64>,
    /// The id of the grant, a UUID, the same through all its extends. Not in `queued`, `left` and `vacant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::text"))]
    pub id: Option<Text>,
    /// When it happened, RFC 3339 in UTC with milliseconds, by the clock of Redis.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub at: Text,
    /// With `granted`, `extended` and `leader`: when the lease ends, by the clock of Redis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub expire_at: Option<Text>,
    /// With `leader`: the milliseconds from `at` until the lease ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub ttl_ms: Option<u64>,
    /// With `expired`: when the lease ended, by the clock of Redis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub expired_at: Option<Text>,
    /// With `released`, `broken` and `expired`: for how many milliseconds the lock was held, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub held_ms: Option<u64>,
    /// With `left`, and with `granted` if the request waited: for how many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waited_ms: Option<u64>,
    /// With `granted`: the fence of the grant before, if Redis knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::fence"))]
    pub previous_fence: Option<u64>,
    /// With `granted` and `leader`: the metadata of the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::list"))]
    pub metadata: Option<Json>,
    /// True if the metadata has more than 256 bytes and is left out; only then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::only_true"))]
    pub metadata_omitted: bool,
    /// With `granted` of a shared lock: `shared`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::only_shared"))]
    pub mode: Option<Mode>,
    /// With `granted` of a shared lock: how many permits the holder has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::permits"))]
    pub permits: Option<u32>,
    /// With `broken`: the name of the API key that broke the lock; null if the replica demands no keys. With `granted`, and
    /// with `leader` when it is elected: the name of the API key that took the lock, if the listener may also inspect it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::text_or_null"))]
    pub by: Option<Text>,
    /// With `broken`: the reason that was given, or null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::reason"))]
    pub reason: Option<Text>,
    /// With `undone`: `unknown_outcome`, `hung_up` or `not_replicated`. With `left`: `timeout`, `hung_up`, `replica_lost`
    /// or `superseded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::text"))]
    pub cause: Option<Text>,
    /// With `queued` and `left`: the id of the place in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::text"))]
    pub place: Option<Text>,
    /// With `queued`: the position in the queue, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub position: Option<u64>,
    /// With `queued`: how many requests wait now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waiting: Option<u64>,
    /// With `queued`: the fence of the holder; null if nobody holds the lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::fence_or_null"))]
    pub holder_fence: Option<u64>,
}

/// What a long poll answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Events"))]
pub struct Events<E = Event> {
    /// What happened after `since`, the oldest first.
    pub events: Vec<E>,
    /// Where to go on: the next `since`, also if no event came.
    pub cursor: String,
    /// Why events are missing before the first of these; null if none are.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::missed"))]
    pub missed: Option<Missed>,
}

/// What Redis still has of one lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "History"))]
pub struct History<Text = String, E = Event> {
    /// The name of the lock.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub resource: Text,
    /// Since when Redis has recorded events; null if it records none.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time_or_null"))]
    pub recorded_since: Option<Text>,
    /// The newest first.
    pub events: Vec<E>,
    /// The parameter `before` for what is older; null if there is nothing older.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::text_or_null"))]
    pub cursor: Option<String>,
}

/// Why events are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
pub enum Missed {
    /// Redis keeps the newest events only, and the cursor is older.
    Trimmed,
    /// Redis lost the events.
    Restarted,
    /// Another server took over from the master, and may lack the last events.
    Failover,
    /// The listener could not keep up.
    Slow,
    /// Nobody listened, so that nothing was recorded.
    NotRecorded,
    /// A reason of a later version.
    #[serde(other)]
    Other,
}

/// Why a replica ends a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
pub enum Bye {
    /// The replica is about to end.
    Draining,
    /// The listener did not keep up.
    Slow,
    /// The API key is not valid any more, or may not follow what the stream names.
    Rights,
    /// A reason of a later version.
    #[serde(other)]
    Other,
}

/// A message of a stream beside the events and the states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Control {
    /// The first message.
    Hello {
        /// The id of the replica.
        replica: String,
        /// When the stream began, by the clock of Redis.
        now: String,
        /// Whether the stream resumes after `since`.
        resumed: bool,
        /// Since when Redis has recorded events.
        recorded_since: Option<String>,
        /// `late` if the replica follows fewer locks than are held, so that it may tell an expiry late; only then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expiries: Option<String>,
    },
    /// All states were told. Events follow.
    Synced {
        /// Where the events begin.
        cursor: String,
    },
    /// Nothing before this cursor concerns the listener.
    Bookmark {
        /// Where to resume.
        cursor: String,
    },
    /// Events are missing here.
    Missed {
        /// Why.
        reason: Missed,
    },
    /// The last message.
    Bye {
        /// Why the stream ends.
        reason: Bye,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn control_messages_are_written_as_the_reference_has_them_and_read_again() {
        let messages = [
            (
                Control::Hello {
                    replica: "r".into(),
                    now: "n".into(),
                    resumed: false,
                    recorded_since: None,
                    expiries: None,
                },
                json!({ "type": "hello", "replica": "r", "now": "n", "resumed": false, "recordedSince": null }),
            ),
            (Control::Synced { cursor: "c".into() }, json!({ "type": "synced", "cursor": "c" })),
            (Control::Bookmark { cursor: "c".into() }, json!({ "type": "bookmark", "cursor": "c" })),
            (Control::Missed { reason: Missed::NotRecorded }, json!({ "type": "missed", "reason": "not_recorded" })),
            (Control::Bye { reason: Bye::Draining }, json!({ "type": "bye", "reason": "draining" })),
        ];
        for (message, json) in messages {
            assert_eq!(serde_json::to_value(&message).expect("JSON"), json);
            assert_eq!(serde_json::from_value::<Control>(json).expect("a message"), message);
        }
    }

    #[test]
    fn an_event_of_a_later_version_is_read_too() {
        let event = json!({ "type": "painted", "resource": "a", "at": "2026-11-27T18:11:00.000Z", "colour": "red" });
        let event: Event = serde_json::from_value(event).expect("an event");
        assert_eq!((event.kind.as_str(), event.owner), ("painted", None));
        let missed: Missed = serde_json::from_value(json!("eaten")).expect("a reason");
        assert_eq!(missed, Missed::Other);
    }
}
