//! The JSON of events, as docs/reference/events.md has it.

use bytes::Bytes;
use gorilla_domain::event::{Change, Cursor, Event};

use crate::{
    json::{Object, name},
    rfc3339::Rfc3339,
};

/// In bytes. The JSON of most events is shorter.
const USUAL_LENGTH: usize = 400;

/// Writes an event; with a grant only if `shows_taker` with the identity that took the lock.
pub fn json(event: &Event, cursor: Option<&Cursor>, shows_taker: bool) -> Bytes {
    let mut body = Object::with_capacity(USUAL_LENGTH);
    body.member(name!("type")).text(event.kind().as_str());
    if let Some(cursor) = cursor {
        body.member(name!("cursor")).text(&cursor.to_string());
    }
    body.member(name!("resource")).text(event.resource.as_str());
    body.member(name!("owner")).text(&event.owner);
    if let Some(fence) = event.fence {
        body.member(name!("fence")).whole(fence);
    }
    if let Some(id) = &event.id {
        body.member(name!("id")).text(id);
    }
    body.member(name!("at")).time(&Rfc3339::of(event.at));
    match &event.change {
        Change::Granted { expire_at, waited_ms, previous_fence, metadata, permits, by } => {
            body.member(name!("expireAt")).time(&Rfc3339::of(*expire_at));
            if let Some(waited) = waited_ms {
                body.member(name!("waitedMs")).whole(*waited);
            }
            if let Some(fence) = previous_fence {
                body.member(name!("previousFence")).whole(*fence);
            }
            match metadata {
                Some(metadata) => body.member(name!("metadata")).raw(metadata.as_str()),
                None => body.member(name!("metadataOmitted")).raw("true"),
            };
            if let Some(permits) = permits {
                body.member(name!("mode")).text("shared");
                body.member(name!("permits")).whole(*permits);
            }
            if let Some(by) = by.as_ref().filter(|_| shows_taker) {
                body.member(name!("by")).text(by);
            }
        }
        Change::Extended { expire_at } => {
            body.member(name!("expireAt")).time(&Rfc3339::of(*expire_at));
        }
        Change::Released { held_ms } => held(&mut body, *held_ms),
        Change::Expired { expired_at, held_ms } => {
            body.member(name!("expiredAt")).time(&Rfc3339::of(*expired_at));
            held(&mut body, *held_ms);
        }
        Change::Broken { held_ms, by, reason } => {
            held(&mut body, *held_ms);
            text_or_null(&mut body, name!("by"), by.as_deref());
            text_or_null(&mut body, name!("reason"), reason.as_deref());
        }
        Change::Undone { cause } => {
            body.member(name!("cause")).text(cause.as_str());
        }
        Change::Queued { place, position, waiting, holder_fence } => {
            body.member(name!("place")).text(place);
            body.member(name!("position")).whole(*position);
            body.member(name!("waiting")).whole(*waiting);
            match holder_fence {
                Some(fence) => body.member(name!("holderFence")).whole(*fence),
                None => body.member(name!("holderFence")).raw("null"),
            };
        }
        Change::Left { place, waited_ms, cause } => {
            body.member(name!("place")).text(place);
            body.member(name!("waitedMs")).whole(*waited_ms);
            body.member(name!("cause")).text(cause.as_str());
        }
    }
    body.end().into()
}

fn held(body: &mut Object, held_ms: Option<u64>) {
    if let Some(held) = held_ms {
        body.member(name!("heldMs")).whole(held);
    }
}

fn text_or_null(body: &mut Object, name: crate::json::Name, text: Option<&str>) {
    match text {
        Some(text) => body.member(name).text(text),
        None => body.member(name).raw("null"),
    };
}
