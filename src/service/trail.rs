//! Which records the use cases make for the audit file.

use std::sync::Arc;

use gorilla_domain::{
    Acquired, Broken, Extended, Failure, Lease, Lock, Mode, Released, ResourceName, Tenure, Token, Verb,
};
use gorilla_wire::Code;

use super::{base::Service, caller::Caller, refusal::Refusal};
use crate::audit::{Audit, Event, NoRoom, Record, Secrets, Slot};

/// A record of what is being done, whose outcome nobody knows yet. If it is dropped, because the client has hung up, an
/// acquire is undone and makes no record; anything else may be done, and the record says so.
pub struct Trail<'a> {
    audit: &'a Audit,
    slot: Option<Slot>,
    caller: &'a Caller,
    event: Event,
    resource: &'a ResourceName,
    /// The token that the request has.
    token: Option<&'a Token>,
    is_over: bool,
}

impl Service {
    /// Begins a record of what has to be done whether there is room for a record or not; nothing if none is made.
    pub(super) fn follow<'a>(
        &'a self,
        caller: &'a Caller,
        event: Event,
        resource: &'a ResourceName,
        token: &'a Token,
    ) -> Option<Trail<'a>> {
        let audit = self.audit.as_deref()?;
        Some(Trail::new(audit, None, caller, event, resource, Some(token)))
    }

    /// Begins a record of what must not be done if there is no room for a record; nothing if none is made.
    pub(super) fn demand<'a>(
        &'a self,
        caller: &'a Caller,
        event: Event,
        resource: &'a ResourceName,
        token: Option<&'a Token>,
    ) -> Result<Option<Trail<'a>>, Refusal> {
        let Some(audit) = self.audit.as_deref() else { return Ok(None) };
        let slot = audit.reserve().map_err(|NoRoom| Refusal::AuditUnavailable)?;
        Ok(Some(Trail::new(audit, slot, caller, event, resource, token)))
    }

    /// Makes a record of a refusal, if it is because of who asks.
    pub(super) fn noted<T>(&self, caller: &Caller, done: Result<T, Refusal>) -> Result<T, Refusal> {
        if let (Some(audit), Err(refusal)) = (&self.audit, &done) {
            note(audit, caller, refusal);
        }
        done
    }

    /// Whether the replica can keep the records that it must keep.
    pub fn keeps_records(&self) -> bool {
        self.audit.as_ref().is_none_or(|audit| !audit.refuses())
    }

    /// The audit file, if there is one.
    pub fn audit(&self) -> Option<&Arc<Audit>> {
        self.audit.as_ref()
    }
}

impl Caller {
    /// Makes a record of something that the caller may not do.
    pub fn note_denied(&self, audit: &Audit, verb: Verb, resource: Option<&ResourceName>) {
        let resource = resource.map(|resource| self.secrets().masked(resource.as_str()));
        let denied = self.record(Event::Denied, Code::InsufficientScope.as_str());
        audit.refused(&Record { verb: Some(verb.as_str()), resource: resource.as_deref(), ..denied });
    }

    /// What must not be in a record or an event.
    pub(super) fn secrets(&self) -> &Secrets {
        static NONE: Secrets = Secrets::none();
        self.recorded.as_ref().map_or(&NONE, |recorded| &recorded.secrets)
    }

    /// A record of what this caller does.
    pub fn record(&self, event: Event, outcome: &'static str) -> Record<'_> {
        let recorded = self.recorded.as_deref();
        Record {
            identity: self.identity.as_ref().map(|identity| identity.name.as_str()),
            method: Some(if self.identity.is_some() { "key" } else { "none" }),
            key_id: self.identity.as_ref().map(|identity| identity.key_id.as_str()).filter(|id| !id.is_empty()),
            peer: Some(self.peer),
            forwarded: recorded.and_then(|recorded| recorded.forwarded.as_deref()),
            request_id: recorded.and_then(|recorded| recorded.masked_id.as_deref()).or(Some(&self.request_id)),
            trace_id: recorded.and_then(|recorded| recorded.trace_id.as_deref()),
            ..Record::new(event, outcome)
        }
    }
}

fn note(audit: &Audit, caller: &Caller, refusal: &Refusal) {
    match refusal {
        Refusal::Denied(denied) => caller.note_denied(audit, denied.verb, denied.resource.as_ref()),
        Refusal::Owner { .. } => audit.refused(&caller.record(Event::Denied, "owner")),
        Refusal::NotAnyMore => audit.refused(&caller.record(Event::AuthFailed, "revoked")),
        Refusal::Quota { .. }
        | Refusal::TooLong { .. }
        | Refusal::NoConversion { .. }
        | Refusal::TooManyListeners
        | Refusal::EventsOff
        | Refusal::Draining
        | Refusal::AuditUnavailable
        | Refusal::Store(_) => {}
    }
}

impl<'a> Trail<'a> {
    fn new(
        audit: &'a Audit,
        slot: Option<Slot>,
        caller: &'a Caller,
        event: Event,
        resource: &'a ResourceName,
        token: Option<&'a Token>,
    ) -> Self {
        Self { audit, slot, caller, event, resource, token, is_over: false }
    }

    /// An acquire has ended.
    pub fn acquired(self, acquired: &Result<Acquired, Refusal>, lease: Lease) {
        match acquired {
            Ok(Acquired::Granted(lock)) => self.granted("granted", lock, lease),
            Ok(Acquired::Replayed(lock)) => self.granted("replayed", lock, lease),
            Err(refusal) if is_unknown(refusal) => self.end("unknown", &Known::default()),
            _ => self.nothing(),
        }
    }

    /// A lock was granted, and this came of it.
    pub fn granted(self, outcome: &'static str, lock: &Lock, lease: Lease) {
        self.end(outcome, &Known { lease_ms: Some(lease.as_millis()), ..Known::of(lock) });
    }

    /// What came of an acquire is not known.
    pub fn unknown(self) {
        self.end("unknown", &Known::default());
    }

    /// An extend has ended, which maybe was to convert the lock.
    pub fn extended(self, extended: &Result<Extended, Refusal>, lease: Lease, convert: Option<&Mode>) {
        let mode = convert.map(|mode| match mode {
            Mode::Exclusive => "exclusive",
            Mode::Shared(_) => "shared",
        });
        let (outcome, lock) = match extended {
            Ok(Extended::Extended(lock)) => ("extended", lock),
            Ok(Extended::Replayed(lock)) => ("replayed", lock),
            Err(refusal) if is_unknown(refusal) => return self.end("unknown", &Known { mode, ..Known::default() }),
            _ => return self.nothing(),
        };
        self.end(outcome, &Known { lease_ms: Some(lease.as_millis()), mode, ..Known::of(lock) });
    }

    /// A release has ended.
    pub fn released(self, released: &Result<Released, Refusal>) {
        let outcome = match released {
            Ok(Released::Released) => "released",
            Ok(Released::Replayed) => "replayed",
            Err(refusal) if is_unknown(refusal) => "unknown",
            _ => return self.nothing(),
        };
        // Redis does not tell which grant it was. The token of a shared lock has the id of the grant.
        let lock_id = self.token.and_then(Token::of_shared).map(|(id, _)| id);
        self.end(outcome, &Known { lock_id, ..Known::default() });
    }

    /// A break has ended. Waits until the disk has the record.
    pub async fn broken(mut self, broken: &Result<Broken, Refusal>, reason: Option<&str>) {
        let (outcome, ended) = match broken {
            Ok(Broken::Broken(ended)) => ("broken", Some(ended)),
            Ok(Broken::Replayed(ended)) => ("replayed", Some(ended)),
            Err(refusal) if is_unknown(refusal) => ("unknown", None),
            _ => return self.nothing(),
        };
        let known = Known {
            owner: ended.map(|ended| ended.owner.as_str()),
            fence: ended.map(|ended| ended.fence),
            lock_id: ended.map(|ended| ended.id.as_str()),
            lease_ms: ended.and_then(|ended| ended.left).map(|left| left.as_millis() as u64),
            mode: None,
            reason,
        };
        let (audit, slot) = (self.audit, self.slot.take());
        self.is_over = true;
        self.record(outcome, &known, |record| audit.write_through(slot, record)).done().await;
    }

    /// Nothing was done.
    pub fn nothing(mut self) {
        self.is_over = true;
    }

    fn end(mut self, outcome: &'static str, known: &Known) {
        self.write(outcome, known);
    }

    fn write(&mut self, outcome: &'static str, known: &Known) {
        let (audit, slot) = (self.audit, self.slot.take());
        self.is_over = true;
        self.record(outcome, known, |record| audit.write(slot, record));
    }

    /// Makes the record, without what it must not have.
    fn record<T>(&self, outcome: &'static str, known: &Known, write: impl FnOnce(&Record) -> T) -> T {
        let secrets = self.caller.secrets();
        let masked = |text| secrets.masked(text);
        let (resource, owner, reason) =
            (masked(self.resource.as_str()), known.owner.map(masked), known.reason.map(masked));
        write(&Record {
            resource: Some(&resource),
            owner: owner.as_deref(),
            fence: known.fence,
            lock_id: known.lock_id,
            lease_ms: known.lease_ms,
            mode: known.mode,
            reason: reason.as_deref(),
            ..self.caller.record(self.event, outcome)
        })
    }
}

impl Drop for Trail<'_> {
    fn drop(&mut self) {
        if !self.is_over && self.event != Event::Grant {
            self.write("unknown", &Known::default());
        }
    }
}

/// What is known of a grant.
#[derive(Default)]
struct Known<'a> {
    owner: Option<&'a str>,
    fence: Option<u64>,
    lock_id: Option<&'a str>,
    lease_ms: Option<u64>,
    mode: Option<&'static str>,
    reason: Option<&'a str>,
}

impl<'a> Known<'a> {
    fn of(lock: &'a Lock) -> Self {
        let Tenure { id, owner, fence, .. } = &lock.tenure;
        Self { owner: Some(owner), fence: Some(*fence), lock_id: Some(id), ..Self::default() }
    }
}

fn is_unknown(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Store(Failure::Unknown(_) | Failure::Broken(_)))
}
