//! Asks for locks, and waits for them in the queues of the server.

use std::{sync::Arc, time::Duration};

use gorilla_wire::Code;
use serde_json::{Value, json};

use crate::{
    clock::Moment,
    error::Error,
    progress::{Progress, Report},
    renewals::Renewals,
    requests::new_key,
    terms::Terms,
    undo::Undo,
    wire::{ANSWER_TIMEOUT, Answer, KEY_LASTS, Request, Retry, Trouble, Wire},
};

const TTL: Duration = Duration::from_secs(30);
const LONGEST_GRACE: Duration = Duration::from_secs(5);
/// How long a request waits at first: for a moment, to learn who holds the lock. Later requests wait for long. The
/// server keeps the place from one request to the next.
const FIRST_PIECE: Duration = Duration::from_secs(1);
const SHORTEST_PIECE: Duration = Duration::from_millis(100);
/// How long a client that has waited in the queue goes on while it can't reach the server.
const OUTAGE: Duration = Duration::from_secs(60);
/// How much later than the end of the wait an answer may come. The server gives Redis a second.
const LATE: Duration = Duration::from_secs(1);

/// What a request for a lock and a request for several locks have in common.
pub struct Asking {
    pub wire: Wire,
    pub renewals: Arc<Renewals>,
    pub owner: Option<String>,
    pub ttl: Duration,
    pub grace: Option<Duration>,
    pub at_least: Duration,
    pub max_hold: Duration,
    pub wait: Duration,
    pub metadata: Value,
    pub report: Report,
}

/// The fields that both have.
pub struct Fields {
    pub owner: Option<Value>,
    pub timeout: Option<Value>,
    pub metadata: Option<Value>,
    pub wait: Option<Value>,
}

impl Asking {
    pub fn new(wire: Wire, renewals: Arc<Renewals>) -> Self {
        Self {
            wire,
            renewals,
            owner: None,
            ttl: TTL,
            grace: None,
            at_least: Duration::ZERO,
            max_hold: Duration::MAX,
            wait: Duration::ZERO,
            metadata: json!([]),
            report: Report::nobody(),
        }
    }

    /// The grace in force.
    pub fn checked_grace(&self) -> Result<Duration, Error> {
        let grace = self.grace.unwrap_or((self.ttl / 6).min(LONGEST_GRACE));
        if grace > self.ttl / 2 {
            let message = format!("the grace ({grace:?}) must be at most half of the lease ({:?})", self.ttl);
            return Err(Error::refused(Code::InvalidRequest.as_str(), message));
        }
        Ok(grace)
    }

    /// How to hold a lock that was granted just now.
    pub fn terms(&self, grace: Duration) -> Terms {
        let now = Moment::now();
        Terms { ttl: self.ttl, grace, at_least: now + self.at_least, at_most: now + self.max_hold }
    }

    /// Asks until the server grants or refuses, in requests of which each waits for `longest` at most. Returns when the
    /// client sent the request that was granted, and the body of the answer.
    pub async fn ask(
        &mut self,
        mut longest: Duration,
        request: impl Fn(Fields, &str) -> Request<'_>,
    ) -> Result<(Moment, Value), Error> {
        let begun = Moment::now();
        let deadline = begun + self.wait;
        let new_retry = || if self.wait.is_zero() { Retry::new() } else { Retry::of_waiter() };
        let (mut key, mut retry) = (new_key(), new_retry());
        // When the first copy with this key was sent, or the last refusal came.
        let mut key_since = begun;
        let mut piece = FIRST_PIECE;
        let (mut heard, mut in_doubt) = (None, false);
        let mut undo = Undo::new(&self.wire);
        let owner = self.owner.clone().unwrap_or_else(default_owner);
        loop {
            let wait = deadline.left().min(piece);
            let fields = Fields {
                owner: Some(owner.as_str().into()),
                timeout: Some(self.ttl.as_secs_f64().into()),
                metadata: Some(self.metadata.clone()),
                wait: (!wait.is_zero()).then(|| wait.as_secs_f64().into()),
            };
            let mut request = request(fields, &key);
            if !self.wait.is_zero() {
                request.timeout = (wait + ANSWER_TIMEOUT).min((deadline + LATE).left());
            }
            undo.arm(&request);
            let refusal = match self.wire.exchange(&request).await {
                Ok(Answer::Done(sent, body)) => {
                    undo.disarm();
                    return Ok((sent, body));
                }
                Ok(Answer::Refused(refusal)) => {
                    undo.disarm();
                    in_doubt = false;
                    refusal
                }
                Err(trouble) => {
                    in_doubt |= trouble.in_doubt;
                    if !in_doubt {
                        undo.disarm();
                    }
                    let patient = begun + self.wire.patience;
                    let give_up = match self.wait.is_zero() {
                        true => patient,
                        false => heard.map_or(patient, |heard: Moment| (heard + OUTAGE).max(patient)).min(deadline),
                    };
                    let Trouble { why, .. } = &trouble;
                    self.report.tell(Progress::Trouble(why.to_string()));
                    if let Err(error) = retry.pause(trouble, give_up).await {
                        // The caller learns of the doubt, and the server does not answer.
                        undo.disarm();
                        return Err(error);
                    }
                    if key_since.elapsed() >= KEY_LASTS {
                        // The place in the queue is gone by now, and what may have been granted ends with its lease.
                        (key, key_since) = (new_key(), Moment::now());
                    }
                    continue;
                }
            };
            (heard, retry, key_since) = (Some(Moment::now()), new_retry(), Moment::now());
            match refusal.known() {
                Some(Code::WaitTimeout | Code::LockHeld | Code::LockReserved) => {
                    let busy = refusal.busy();
                    if deadline.left().is_zero() {
                        return Err(Error::NotAcquired(Box::new(busy)));
                    }
                    self.report.tell(Progress::Waiting(busy));
                    piece = longest.min(piece * 4);
                }
                // The server granted the lock, the answer got lost, and the lease has ended since.
                Some(Code::LockGone) => key = new_key(),
                // The server allows only shorter waits.
                Some(Code::InvalidRequest) if refusal.field() == Some("wait") && wait > SHORTEST_PIECE => {
                    longest = wait / 2;
                    piece = longest;
                }
                _ => return Err((*refusal).into()),
            }
        }
    }
}

fn default_owner() -> String {
    format!("{}:{}", rustix::system::uname().nodename().to_string_lossy(), std::process::id())
}
