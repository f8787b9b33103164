//! Turns what scripts have noted into events.

use chrono::{DateTime, Utc};
use gorilla_domain::{
    Metadata, ResourceName,
    event::{Change, Event, LeftCause, UndoneCause},
};
use gorilla_scripts::{Noted, NotedChange, Settlement};

/// An event with what listeners are not told.
#[derive(Clone, Debug)]
pub struct Line {
    /// The event.
    pub event: Event,
    /// With a grant of a shared lock: the fence of the first grant of the group.
    pub floor: Option<u64>,
    /// With a lease whose end has moved: how the grant ends then, if that is settled.
    pub settled: Option<Settlement>,
}

impl Line {
    /// From what a script noted of a lock. Nothing if its values are not those of an event: they come from a later version,
    /// or the key was changed by hand.
    pub fn read(resource: ResourceName, noted: Noted) -> Option<Self> {
        let (mut floor, mut settled) = (None, None);
        let Noted { at, id, owner, change, .. } = noted;
        let (mut fence_of, mut place) = (None, None);
        let change = match change {
            NotedChange::Granted { fence, ends, waited, last, metadata, permits, floor: of_group, by } => {
                (fence_of, floor) = (Some(fence), of_group);
                Change::Granted {
                    expire_at: time(ends)?,
                    waited_ms: waited,
                    previous_fence: last,
                    metadata: metadata.map(Metadata::from_stored),
                    permits,
                    by,
                }
            }
            NotedChange::Extended { fence, ends, settled: how } => {
                (fence_of, settled) = (Some(fence), how);
                Change::Extended { expire_at: time(ends)? }
            }
            NotedChange::Released { fence, held } => {
                fence_of = Some(fence);
                Change::Released { held_ms: held }
            }
            NotedChange::Expired { fence, held, ended } => {
                fence_of = Some(fence);
                Change::Expired { expired_at: time(ended)?, held_ms: held }
            }
            NotedChange::Broken { fence, held, by, reason } => {
                fence_of = Some(fence);
                Change::Broken { held_ms: held, by, reason }
            }
            NotedChange::Undone { fence, cause } => {
                fence_of = Some(fence);
                Change::Undone { cause: UndoneCause::ALL.into_iter().find(|known| known.as_str() == cause)? }
            }
            NotedChange::Queued { position, waiting, holder_fence } => {
                place = Some(id.clone());
                Change::Queued { place: id.clone(), position, waiting, holder_fence }
            }
            NotedChange::Left { waited, cause } => {
                place = Some(id.clone());
                let cause = LeftCause::ALL.into_iter().find(|known| known.as_str() == cause)?;
                Change::Left { place: id.clone(), waited_ms: waited, cause }
            }
        };
        let id = place.is_none().then_some(id);
        Some(Self { event: Event { resource, owner, fence: fence_of, id, at: time(at)?, change }, floor, settled })
    }
}

/// A time from milliseconds since 1970.
pub fn time(since_1970: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(since_1970)
}
