//! What a record has, beside its place in the chain.

use crate::{
    json::{Name, Object, name},
    peer::Peer,
};

/// In bytes: longer than most records.
const USUAL_LENGTH: usize = 384;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A client was granted a lock.
    Grant,
    /// A lease was renewed.
    Extend,
    /// A lock was freed by its token.
    Release,
    /// A lock was ended without its token.
    Break,
    /// A caller that is known may not do this.
    Denied,
    /// Nobody knows who the caller is.
    AuthFailed,
    /// The replica, its access file or its audit file.
    Reload,
}

/// A record. It has only what is known.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// What it is about.
    pub event: Event,
    /// What came of it.
    pub outcome: &'static str,
    /// The name of the caller.
    pub identity: Option<&'a str>,
    /// How the caller was identified.
    pub method: Option<&'static str>,
    /// The public id of the caller's key.
    pub key_id: Option<&'a str>,
    /// The name of the lock.
    pub resource: Option<&'a str>,
    /// The label of the holder.
    pub owner: Option<&'a str>,
    /// The fencing token of the grant.
    pub fence: Option<u64>,
    /// The id of the grant.
    pub lock_id: Option<&'a str>,
    /// In milliseconds.
    pub lease_ms: Option<u64>,
    /// How a lock is held after a conversion.
    pub mode: Option<&'static str>,
    /// What was denied.
    pub verb: Option<&'static str>,
    /// Why.
    pub reason: Option<&'a str>,
    /// How many requests or records it stands for.
    pub count: Option<u64>,
    /// The generation of the access file.
    pub generation: Option<u64>,
    /// From where the request comes.
    pub peer: Option<Peer>,
    /// What proxies say where the request comes from.
    pub forwarded: Option<&'a str>,
    /// The name of the request.
    pub request_id: Option<&'a str>,
    /// The name of the trace that the request belongs to.
    pub trace_id: Option<&'a str>,
}

impl Event {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 7] =
        [Self::Grant, Self::Extend, Self::Release, Self::Break, Self::Denied, Self::AuthFailed, Self::Reload];

    /// Its name in a record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Extend => "extend",
            Self::Release => "release",
            Self::Break => "break",
            Self::Denied => "denied",
            Self::AuthFailed => "auth_failed",
            Self::Reload => "reload",
        }
    }
}

impl<'a> Record<'a> {
    /// A record of which nothing else is known yet.
    pub fn new(event: Event, outcome: &'static str) -> Self {
        Self {
            event,
            outcome,
            identity: None,
            method: None,
            key_id: None,
            resource: None,
            owner: None,
            fence: None,
            lock_id: None,
            lease_ms: None,
            mode: None,
            verb: None,
            reason: None,
            count: None,
            generation: None,
            peer: None,
            forwarded: None,
            request_id: None,
            trace_id: None,
        }
    }

    /// A JSON object. It has no newline, and nothing on which a terminal acts.
    pub fn json(&self) -> String {
        let mut object = Object::with_capacity(USUAL_LENGTH);
        object.member(name!("event")).text(self.event.as_str());
        object.member(name!("outcome")).text(self.outcome);
        text(&mut object, name!("identity"), self.identity);
        text(&mut object, name!("method"), self.method);
        text(&mut object, name!("key_id"), self.key_id);
        text(&mut object, name!("resource"), self.resource);
        text(&mut object, name!("owner"), self.owner);
        whole(&mut object, name!("fence"), self.fence);
        text(&mut object, name!("lock_id"), self.lock_id);
        whole(&mut object, name!("lease_ms"), self.lease_ms);
        text(&mut object, name!("mode"), self.mode);
        text(&mut object, name!("verb"), self.verb);
        text(&mut object, name!("reason"), self.reason);
        whole(&mut object, name!("count"), self.count);
        whole(&mut object, name!("generation"), self.generation);
        text(&mut object, name!("peer"), self.peer.map(Peer::text).as_deref());
        text(&mut object, name!("forwarded"), self.forwarded);
        text(&mut object, name!("request_id"), self.request_id);
        text(&mut object, name!("trace_id"), self.trace_id);
        object.end_for_people()
    }
}

fn text(object: &mut Object, name: Name, value: Option<&str>) {
    if let Some(value) = value {
        object.member(name).text(value);
    }
}

fn whole(object: &mut Object, name: Name, value: Option<u64>) {
    if let Some(value) = value {
        object.member(name).whole(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_without_anything_on_which_a_terminal_acts() {
        let record = Record {
            owner: Some("a\nb\u{1b}[2J\u{202e}\"\u{2028}"),
            fence: Some(7),
            ..Record::new(Event::Grant, "granted")
        };
        let json = r#"{"event":"grant","outcome":"granted","owner":"a\nb\u001b[2J\u202e\"\u2028","fence":7}"#;
        assert_eq!(record.json(), json);
    }

    #[test]
    fn the_number_of_an_event_is_its_place() {
        for (place, event) in Event::ALL.into_iter().enumerate() {
            assert_eq!(event as usize, place);
        }
    }
}
