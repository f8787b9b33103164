//! Who leads: `leader` and `vacant`, which follow from the grants of locks and their ends. An election is the lock of its
//! name.

use std::{borrow::Cow, collections::HashMap};

use chrono::{DateTime, Utc};
use gorilla_domain::{
    ResourceName, State, Tenure,
    event::{Change, Event, EventType},
};
use serde_json::value::RawValue;

use crate::{rfc3339::Rfc3339, service::Happened};

/// `leader` or `vacant`, as the wire has it.
pub type Told<'a> = gorilla_wire::Event<Cow<'a, str>, &'a RawValue>;

/// Who leads in each of the locks that a stream names.
#[derive(Default)]
pub struct Leaders(HashMap<ResourceName, Leader>);

/// Who leads, as far as the stream knows. A lock that is not there is one of which it knows nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leader {
    /// The grant with this fence.
    Of(u64),
    /// Nobody: the lock is free, or clients share it.
    Nobody,
}

impl Leaders {
    /// Takes over the state of a lock, and tells who leads.
    pub fn look<'a>(&mut self, resource: &'a ResourceName, state: &'a State, now: DateTime<Utc>) -> Told<'a> {
        let (known, told) = match state {
            State::Held { tenure, by, .. } => (Leader::Of(tenure.fence), leader(resource, tenure, by.as_deref())),
            State::Shared { .. } | State::Free { .. } => (Leader::Nobody, vacant(resource, now)),
        };
        self.0.insert(resource.clone(), known);
        told
    }

    /// Forgets all, because events were missed.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// What follows from an event.
    pub fn follow<'a>(&mut self, happened: &'a Happened) -> Option<Told<'a>> {
        let event = happened.event();
        let known = self.0.get(&event.resource).copied();
        let fence = event.fence?;
        let is_leader = known.is_none_or(|known| known == Leader::Of(fence));
        let (now, told) = match &event.change {
            // An earlier grant than the one that the state told.
            Change::Granted { .. } if matches!(known, Some(Leader::Of(leader)) if fence <= leader) => return None,
            Change::Granted { permits: None, expire_at, metadata, .. } => {
                let metadata = metadata.as_ref().map(|metadata| raw(metadata.as_str()));
                let omitted = metadata.is_none();
                let by = happened.taker().map(Cow::Borrowed);
                let told = Told { metadata, metadata_omitted: omitted, by, ..of_event(happened, *expire_at) };
                (Leader::Of(fence), Some(told))
            }
            Change::Granted { permits: Some(_), .. } => {
                let told = matches!(known, Some(Leader::Of(_))).then(|| no_leader(happened));
                (Leader::Nobody, told)
            }
            Change::Extended { expire_at } if is_leader => (Leader::Of(fence), Some(of_event(happened, *expire_at))),
            _ if event.kind().is_end() && is_leader => (Leader::Nobody, Some(no_leader(happened))),
            _ => return None,
        };
        self.0.insert(event.resource.clone(), now);
        told
    }
}

fn of_event(happened: &Happened, expire_at: DateTime<Utc>) -> Told<'_> {
    let Event { owner, fence, id, at, .. } = happened.event();
    Told {
        owner: Some(owner.as_str().into()),
        fence: *fence,
        id: id.as_deref().map(Cow::Borrowed),
        expire_at: Some(time(expire_at)),
        ttl_ms: Some((expire_at - at).num_milliseconds().try_into().unwrap_or_default()),
        cursor: happened.cursor().map(|cursor| cursor.to_string().into()),
        ..bare(EventType::Leader, &happened.event().resource, *at)
    }
}

fn no_leader(happened: &Happened) -> Told<'_> {
    let cursor = happened.cursor().map(|cursor| cursor.to_string().into());
    Told { cursor, ..vacant(&happened.event().resource, happened.event().at) }
}

fn leader<'a>(resource: &'a ResourceName, tenure: &'a Tenure, by: Option<&'a str>) -> Told<'a> {
    Told {
        owner: Some(tenure.owner.as_str().into()),
        fence: Some(tenure.fence),
        id: Some(tenure.id.as_str().into()),
        expire_at: Some(time(tenure.expires)),
        ttl_ms: Some(tenure.ttl.as_millis() as u64),
        metadata: Some(raw(tenure.metadata.as_str())),
        by: by.map(Cow::Borrowed),
        ..bare(EventType::Leader, resource, tenure.expires - tenure.ttl)
    }
}

fn vacant(resource: &ResourceName, at: DateTime<Utc>) -> Told<'_> {
    bare(EventType::Vacant, resource, at)
}

/// The store has seen that it is JSON.
fn raw(json: &str) -> &RawValue {
    serde_json::from_str(json).unwrap_or(RawValue::NULL)
}

fn time(at: DateTime<Utc>) -> Cow<'static, str> {
    Rfc3339::of(at).as_str().to_string().into()
}

fn bare(kind: EventType, resource: &ResourceName, at: DateTime<Utc>) -> Told<'_> {
    Told {
        kind: kind.as_str().into(),
        cursor: None,
        resource: resource.as_str().into(),
        owner: None,
        fence: None,
        id: None,
        at: time(at),
        expire_at: None,
        ttl_ms: None,
        expired_at: None,
        held_ms: None,
        waited_ms: None,
        previous_fence: None,
        metadata: None,
        metadata_omitted: false,
        mode: None,
        permits: None,
        by: None,
        reason: None,
        cause: None,
        place: None,
        position: None,
        waiting: None,
        holder_fence: None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gorilla_domain::{Metadata, event::UndoneCause};

    use super::*;

    fn name() -> ResourceName {
        ResourceName::parse("a").expect("a name")
    }

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(ms).expect("a time")
    }

    fn recorded(fence: u64, change: Change) -> Happened {
        let event = Event {
            resource: name(),
            owner: "me".into(),
            fence: Some(fence),
            id: Some("id".into()),
            at: at(1000),
            change,
        };
        Happened::unrecorded(event)
    }

    fn granted(fence: u64, permits: Option<u32>) -> Happened {
        let metadata = Some(Metadata::from_stored("[1]".into()));
        let change = Change::Granted {
            expire_at: at(31_000),
            waited_ms: None,
            previous_fence: None,
            metadata,
            permits,
            by: None,
        };
        recorded(fence, change)
    }

    fn ended(fence: u64) -> Happened {
        recorded(fence, Change::Released { held_ms: None })
    }

    /// What follows: the type and the fence.
    fn follow(leaders: &mut Leaders, happened: &Happened) -> Option<(String, Option<u64>)> {
        leaders.follow(happened).map(|told| (told.kind.into_owned(), told.fence))
    }

    fn leads(fence: u64) -> Option<(String, Option<u64>)> {
        Some(("leader".into(), Some(fence)))
    }

    fn nobody() -> Option<(String, Option<u64>)> {
        Some(("vacant".into(), None))
    }

    #[test]
    fn a_leader_leads_from_its_grant_to_its_end() {
        let mut leaders = Leaders::default();
        assert_eq!(leaders.look(&name(), &State::Free { waiting: 0 }, at(0)).kind, "vacant");
        assert_eq!(follow(&mut leaders, &ended(3)), None, "nobody led");
        let grant = granted(5, None);
        let told = leaders.follow(&grant).expect("a leader");
        assert_eq!((told.ttl_ms, told.metadata.map(RawValue::get)), (Some(30_000), Some("[1]")));
        assert_eq!(follow(&mut leaders, &recorded(5, Change::Extended { expire_at: at(50_000) })), leads(5));
        assert_eq!(follow(&mut leaders, &granted(4, None)), None, "terms never go back");
        assert_eq!(follow(&mut leaders, &ended(4)), None, "that grant did not lead any more");
        assert_eq!(follow(&mut leaders, &ended(5)), nobody());
        assert_eq!(follow(&mut leaders, &ended(5)), None);
    }

    #[test]
    fn the_state_counts_as_known() {
        let tenure = Tenure {
            id: "id".into(),
            owner: "me".into(),
            metadata: Metadata::from_stored("[]".into()),
            fence: 7,
            created: at(0),
            updated: at(0),
            expires: at(30_000),
            ttl: Duration::from_secs(20),
        };
        let state = State::Held { tenure, waiting: 0, breaking: false, renewals: 0, by: None };
        let (mut leaders, name) = (Leaders::default(), name());
        let told = leaders.look(&name, &state, at(0));
        assert_eq!((told.fence, told.at.as_ref()), (Some(7), "1970-01-01T00:00:10.000Z"));
        assert_eq!(follow(&mut leaders, &granted(7, None)), None, "the state had it");
        let undone = recorded(7, Change::Undone { cause: UndoneCause::HungUp });
        assert_eq!(follow(&mut leaders, &undone), nobody());
    }

    #[test]
    fn who_shares_a_lock_does_not_lead() {
        let mut leaders = Leaders::default();
        assert_eq!(follow(&mut leaders, &granted(5, None)), leads(5));
        assert_eq!(follow(&mut leaders, &granted(6, Some(1))), nobody(), "it was converted");
        assert_eq!(follow(&mut leaders, &ended(6)), None);
        assert_eq!(follow(&mut leaders, &granted(8, None)), leads(8));
    }

    #[test]
    fn a_stream_that_knows_nothing_believes_the_events() {
        let mut leaders = Leaders::default();
        assert_eq!(follow(&mut leaders, &ended(5)), nobody());
        leaders.forget();
        assert_eq!(follow(&mut leaders, &recorded(9, Change::Extended { expire_at: at(50_000) })), leads(9));
    }
}
