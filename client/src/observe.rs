//! Observes an election: who leads, by what the server says and by the clock of this machine.

use std::time::Duration;

use gorilla_wire::{Code, Election};
use serde_json::Value;
use tokio::sync::watch::{self, Receiver, Sender};

use crate::{
    clock::{Moment, sleep_until},
    lease::counted,
    requests,
    wire::{Answer, Wire, read},
};

/// How long one request waits for news at most, and at least.
const LONGEST_PIECE: Duration = Duration::from_secs(20);
const SHORTEST_PIECE: Duration = Duration::from_millis(200);
/// From a request that failed to the next: at first, and after many.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// From a request that was refused to the next.
const REFUSED: Duration = Duration::from_secs(5);

/// Who leads an election, as an observer knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leader {
    /// The label that the leader gave itself.
    pub owner: String,
    /// The term: larger than all earlier terms.
    pub term: u64,
    /// The id of the grant.
    pub id: String,
    /// What the leader proclaims.
    pub metadata: Value,
    /// Until then the leader leads for sure, as far as this observer knows, unless it resigns. Later answers move it.
    pub ends: Moment,
}

/// What an observer keeps.
struct Observer {
    wire: Wire,
    election: String,
    shown: Sender<Option<Leader>>,
    /// The largest term that was shown.
    last: u64,
    /// How long a request waits at most, as the server allows.
    longest: Duration,
}

/// Shows who leads until all receivers are dropped.
pub fn observe(wire: Wire, election: String) -> Receiver<Option<Leader>> {
    let (shown, receiver) = watch::channel(None);
    tokio::spawn(Observer { wire, election, shown, last: 0, longest: LONGEST_PIECE }.observe());
    receiver
}

impl Observer {
    async fn observe(mut self) {
        let shown = self.shown.clone();
        tokio::select! {
            () = shown.closed() => {}
            () = self.ask_on() => {}
        }
    }

    async fn ask_on(&mut self) {
        let (mut known, mut failures) = (None, 0_u32);
        loop {
            let wait = known.map_or(Duration::ZERO, |term| self.piece(term));
            let request = match known {
                None => requests::leader(&self.election),
                Some(term) => requests::leader_after(&self.election, term, wait),
            };
            let answered = {
                let ends = self.shown.borrow().as_ref().map(|leader| leader.ends);
                let mut asked = std::pin::pin!(self.wire.exchange(&request));
                tokio::select! {
                    answered = &mut asked => answered,
                    () = over(ends) => {
                        self.shown.send_replace(None);
                        asked.await
                    }
                }
            };
            let pause = match answered {
                Ok(Answer::Done(sent, body)) => match read::<Election>(body) {
                    Ok(told) => {
                        failures = 0;
                        known = Some(told.term);
                        self.show(sent, told);
                        continue;
                    }
                    Err(_) => REFUSED,
                },
                // The server allows only shorter waits.
                Ok(Answer::Refused(refusal))
                    if refusal.known() == Some(Code::InvalidRequest)
                        && refusal.field() == Some("wait")
                        && wait > SHORTEST_PIECE =>
                {
                    self.longest = wait / 2;
                    continue;
                }
                Ok(Answer::Refused(_)) => REFUSED,
                Err(_) => {
                    failures += 1;
                    PAUSES.0.saturating_mul(1 << failures.min(10)).min(PAUSES.1)
                }
            };
            // After trouble any state may be news.
            known = None;
            self.pause(pause.mul_f64(0.5 + fastrand::f64())).await;
        }
    }

    /// How long the next request waits for other news than this term. If a leader is shown, it must be back well before
    /// the lease ends, because only its answer tells that the leader has renewed the lease.
    fn piece(&self, term: Option<u64>) -> Duration {
        let left = self.shown.borrow().as_ref().map(|leader| leader.ends.left() / 2);
        let piece = match (left, term) {
            (Some(left), _) => left,
            (None, None) => self.longest,
            // The lease of this leader was over when the answer came.
            (None, Some(_)) => SHORTEST_PIECE,
        };
        piece.max(SHORTEST_PIECE).min(self.longest)
    }

    /// Pauses, and shows nobody from the end of the lease on.
    async fn pause(&self, pause: Duration) {
        let ends = self.shown.borrow().as_ref().map(|leader| leader.ends);
        let until = Moment::now() + pause;
        tokio::select! {
            () = sleep_until(until) => return,
            () = over(ends) => {}
        }
        self.shown.send_replace(None);
        sleep_until(until).await;
    }

    /// Shows what the server told.
    fn show(&mut self, sent: Moment, told: Election) {
        let from = sent + Duration::from_millis(told.waited_ms);
        let leader = told.leader.map(|leader| Leader {
            owner: leader.owner,
            term: leader.term,
            id: leader.id,
            metadata: leader.metadata,
            ends: counted(from, Duration::from_millis(leader.ttl_ms)),
        });
        // Redis may have lost a later term, and then an earlier leader may be told again.
        let leader = leader.filter(|leader| leader.term >= self.last && !leader.ends.left().is_zero());
        self.last = leader.as_ref().map_or(self.last, |leader| leader.term);
        self.shown.send_if_modified(|shown| {
            let same = |one: &Leader, other: &Leader| one.term == other.term && one.metadata == other.metadata;
            let is_news = match (&*shown, &leader) {
                (Some(shown), Some(leader)) => !same(shown, leader),
                (shown, leader) => shown.is_some() != leader.is_some(),
            };
            *shown = leader;
            is_news
        });
    }
}

/// Completes at this moment; never without one.
async fn over(ends: Option<Moment>) {
    match ends {
        Some(ends) => sleep_until(ends).await,
        None => std::future::pending().await,
    }
}
