//! The JSON of successes.

use std::{borrow::Cow, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use gorilla_domain::{AcquireSet, Lock, LockSet, Member, Part, ResourceName, State, Tenure};
use gorilla_wire::{Mode, seconds};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    json::{Object, name},
    rfc3339::Rfc3339,
    service::Seen,
};

/// Stands in an answer to a request that may have waited for a lock, so that its duration says nothing.
#[derive(Clone, Copy)]
pub struct MayHaveWaited;

/// In bytes. The JSON of most locks is shorter.
const USUAL_LENGTH: usize = 512;

/// The public state of a resource, which borrows from the state.
pub type PublicState<'a> = gorilla_wire::State<Cow<'a, str>, &'a RawValue>;

/// What a request is told that succeeded.
pub struct Success {
    /// The body, if there is something to tell.
    pub json: Option<String>,
    /// Whether it is the answer to an earlier request with the same Idempotency-Key.
    pub replayed: bool,
}

impl Success {
    /// A lock, for its holder.
    pub fn lock(resource: &ResourceName, lock: &Lock, timeout: Duration, replayed: bool) -> Self {
        Self { json: Some(lock_json(resource, lock, timeout)), replayed }
    }

    /// The status of a lock, for its holder, with the identity that took it, if one is known.
    pub fn status_of(resource: &ResourceName, lock: &Lock, by: Option<&str>, timeout: Duration) -> Self {
        let mut body = lock_object(resource, lock, timeout);
        if let Some(by) = by {
            body.member(name!("by")).text(by);
        }
        Self { json: Some(body.end()), replayed: false }
    }

    /// A leadership, for its leader.
    pub fn leadership(resource: &ResourceName, lock: &Lock, timeout: Duration, replayed: bool) -> Self {
        let mut body = lock_object(resource, lock, timeout);
        body.member(name!("term")).whole(lock.tenure.fence);
        Self { json: Some(body.end()), replayed }
    }

    /// 200 with a body, or 204 without one.
    pub fn status(&self) -> StatusCode {
        if self.json.is_some() { StatusCode::OK } else { StatusCode::NO_CONTENT }
    }
}

impl IntoResponse for Success {
    fn into_response(self) -> Response {
        let status = self.status();
        let response = self.json.map_or_else(|| status.into_response(), ok);
        mark(response, self.replayed)
    }
}

/// 200 with several locks, for their holder.
pub fn lock_set(asked: &AcquireSet, set: &LockSet, replayed: bool) -> Response {
    let timeout = asked.lease().as_duration();
    let each = asked.parts().iter().zip(&set.locks);
    let locks: Vec<_> = each.map(|(part, lock)| lock_json(&part.resource, lock, timeout)).collect();
    let mut body = Object::with_capacity(locks.iter().map(String::len).sum::<usize>() + USUAL_LENGTH);
    body.member(name!("locks")).raw(&format!("[{}]", locks.join(",")));
    body.member(name!("ttlMs")).whole(milliseconds(set.ttl));
    body.member(name!("waitedMs")).whole(milliseconds(set.waited));
    mark(ok(body.end()), replayed)
}

/// The JSON of a [`gorilla_wire::Lock`], written member by member: with serde a request would cost a tenth more.
fn lock_json(resource: &ResourceName, lock: &Lock, timeout: Duration) -> String {
    lock_object(resource, lock, timeout).end()
}

fn lock_object(resource: &ResourceName, lock: &Lock, timeout: Duration) -> Object {
    let Tenure { id, owner, metadata, fence, created, updated, expires, ttl } = &lock.tenure;
    let created_at = Rfc3339::of(*created);
    // A new lock was updated when it was created, and telling a time takes 600 instructions.
    let updated_at = if updated == created { &created_at } else { &Rfc3339::of(*updated) };
    let mut body = Object::with_capacity(USUAL_LENGTH);
    body.member(name!("id")).text(id);
    body.member(name!("owner")).text(owner);
    body.member(name!("resource")).text(resource.as_str());
    body.member(name!("token")).text(lock.token.expose());
    let timeout = seconds(timeout);
    match timeout.as_u64() {
        Some(whole) => body.member(name!("timeout")).whole(whole),
        None => body.member(name!("timeout")).value(timeout),
    }
    body.member(name!("metadata")).raw(metadata.as_str());
    body.member(name!("createdAt")).time(&created_at);
    body.member(name!("updatedAt")).time(updated_at);
    body.member(name!("expireAt")).time(&Rfc3339::of(*expires));
    body.member(name!("fence")).whole(*fence);
    body.member(name!("ttlMs")).whole(milliseconds(*ttl));
    if let Some(Part { permits, limit, floor }) = lock.part {
        body.member(name!("mode")).text("shared");
        body.member(name!("permits")).whole(permits);
        match limit {
            Some(limit) => body.member(name!("limit")).whole(limit),
            None => body.member(name!("limit")).raw("null"),
        };
        body.member(name!("floor")).whole(floor);
    }
    if let Some(waited) = lock.waited {
        body.member(name!("waitedMs")).whole(milliseconds(waited));
    }
    body
}

/// The public state of a resource, ready to be serialised.
pub fn public_state<'a>(resource: &'a ResourceName, state: &'a State) -> PublicState<'a> {
    let (tenure, group, waiting, breaking) = match state {
        State::Held { tenure, waiting, breaking, renewals, by } => {
            let tenure = gorilla_wire::Tenure { renewals: Some(*renewals), ..public_tenure(tenure, by.as_deref()) };
            (Some(tenure), None, *waiting, *breaking)
        }
        State::Shared { group, holders, waiting } => {
            // The fields that a lock with one holder has tell the holder that ends last.
            let last = holders.first().map(|member| public_tenure(&member.tenure, member.by.as_deref()));
            let breaking = holders.first().is_some_and(|member| member.breaking);
            let holder = |member: &'a Member| gorilla_wire::Holder {
                tenure: public_tenure(&member.tenure, member.by.as_deref()),
                permits: member.permits,
                breaking: member.breaking,
            };
            let group = gorilla_wire::Group {
                mode: Mode::Shared,
                limit: group.limit,
                used: group.used,
                holder_count: group.holders,
                holders: holders.iter().map(holder).collect(),
            };
            (last, Some(group), *waiting, breaking)
        }
        State::Free { waiting } => (None, None, *waiting, false),
    };
    PublicState { resource: resource.as_str().into(), held: tenure.is_some(), tenure, group, waiting, breaking }
}

/// The grant of the leader, and whether somebody breaks it: whoever holds the lock exclusively leads.
pub fn leading(state: &State) -> Option<(&Tenure, bool)> {
    match state {
        State::Held { tenure, breaking, .. } => Some((tenure, *breaking)),
        State::Shared { .. } | State::Free { .. } => None,
    }
}

/// What is known of an election, ready to be serialised.
pub fn election<'a>(resource: &'a ResourceName, seen: &'a Seen) -> gorilla_wire::Election<Cow<'a, str>, &'a RawValue> {
    let taker = match &*seen.state {
        State::Held { by, .. } => by.as_deref(),
        State::Shared { .. } | State::Free { .. } => None,
    };
    let leader = leading(&seen.state).map(|(tenure, breaking)| {
        let gorilla_wire::Tenure {
            id,
            owner,
            fence,
            metadata,
            created_at,
            updated_at,
            expire_at,
            ttl_ms,
            renewals: _,
            by,
        } = public_tenure(tenure, taker);
        gorilla_wire::Leader {
            id,
            owner,
            term: fence,
            metadata,
            created_at,
            updated_at,
            expire_at,
            ttl_ms,
            by,
            breaking,
        }
    });
    let (State::Held { waiting, .. } | State::Shared { waiting, .. } | State::Free { waiting }) = *seen.state;
    gorilla_wire::Election {
        resource: resource.as_str().into(),
        term: leader.as_ref().map(|leader| leader.term),
        leader,
        candidates: waiting,
        waited_ms: milliseconds(seen.waited),
    }
}

fn public_tenure<'a>(tenure: &'a Tenure, by: Option<&'a str>) -> gorilla_wire::Tenure<Cow<'a, str>, &'a RawValue> {
    let time = |at| Rfc3339::of(at).as_str().to_string().into();
    gorilla_wire::Tenure {
        id: tenure.id.as_str().into(),
        owner: tenure.owner.as_str().into(),
        fence: tenure.fence,
        // The store has seen that it is JSON.
        metadata: serde_json::from_str(tenure.metadata.as_str()).unwrap_or(RawValue::NULL),
        created_at: time(tenure.created),
        updated_at: time(tenure.updated),
        expire_at: time(tenure.expires),
        ttl_ms: milliseconds(tenure.ttl),
        renewals: None,
        by: by.map(Cow::Borrowed),
    }
}

/// A length of time in whole milliseconds, as the wire has it.
pub fn milliseconds(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

/// 200 with JSON.
pub fn json(body: &impl Serialize) -> Response {
    // No body can fail to serialise: all keys of its maps are strings, and no type of it has a `Serialize` that fails.
    serde_json::to_string(body).map_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), ok)
}

/// 200 with text that is JSON.
pub fn ok(json: String) -> Response {
    let mut response = Response::new(Body::from(json));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Marks the answer as a replay if it is that of an earlier request.
pub fn mark(mut response: Response, replayed: bool) -> Response {
    if replayed {
        response.headers_mut().insert("idempotent-replay", HeaderValue::from_static("true"));
    }
    response
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;
    use gorilla_domain::{Metadata, Token};

    proptest! {
        #[test]
        fn a_lock_is_written_as_gorilla_wire_describes_it(
            id in "\\PC{0,9}", owner in any::<String>(), resource in "[^/\\x00-\\x1f\\x7f-\\u{9f}]{3,9}",
            token in "\\PC{0,9}", word in any::<String>(), fence in 1..1u64 << 53, ttl in 0..1u64 << 40,
            timeout in 0..1u64 << 40, share in any::<Option<(u32, Option<u32>, u32)>>(), waited in any::<Option<u32>>(), by in any::<Option<String>>(), times in prop::array::uniform3(0..253_402_300_800_000i64),
        ) {
            let metadata = serde_json::to_string(&[&word]).expect("JSON");
            let metadata = Metadata::from_stored(metadata);
            let [created, updated, expires] = times.map(|at| DateTime::from_timestamp_millis(at).expect("within the calendar"));
            let (ttl, timeout) = (Duration::from_millis(ttl), Duration::from_millis(timeout));
            let tenure = Tenure { id, owner, metadata, fence, created, updated, expires, ttl };
            let part = share.map(|(permits, limit, floor)| Part { permits, limit, floor: floor.into() });
            let waited = waited.map(|waited| Duration::from_millis(waited.into()));
            let lock = Lock { tenure, token: Token::from_client(&token), part, waited };
            let written = Success::status_of(&ResourceName::parse(&resource).expect("a name"), &lock, by.as_deref(), timeout);
            let written = written.json.expect("a body");
            let read: gorilla_wire::Lock = serde_json::from_str(&written).expect("a lock");
            // The same members in the same order, and each value unchanged.
            prop_assert_eq!(serde_json::to_string(&read).expect("JSON"), written);
            let written = Success::leadership(&ResourceName::parse(&resource).expect("a name"), &lock, timeout, false);
            let written = written.json.expect("a body");
            let read: gorilla_wire::Leadership = serde_json::from_str(&written).expect("a leadership");
            prop_assert_eq!(read.term, fence);
            prop_assert_eq!(serde_json::to_string(&read).expect("JSON"), written);
        }
    }
}
