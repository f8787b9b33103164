//! Tells all other replicas of this one.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use gorilla_wire::{Code, Operation};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, warn};

use super::base::Service;
use crate::{
    fleet::{Line, Pulse, State, Totals},
    store::Untold,
};

/// How often a replica tells of itself.
const BEAT: Duration = Duration::from_secs(5);
/// How many of the longest lines it tells, and of the locks that cost the most waiting.
const MOST_LINES: usize = 20;
/// How long a replica that ends waits until it has told so.
const LAST_WORD: Duration = Duration::from_millis(500);

/// Acquires that end so were refused because others hold the lock or wait for it.
const REFUSED: [Code; 6] =
    [Code::LockHeld, Code::LockReserved, Code::WaitTimeout, Code::Replaced, Code::QueueFull, Code::TooManyHolders];

impl Service {
    /// Tells of this replica every 5 s, as long as it is polled.
    pub async fn beat(&self) {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            self.tell(false).await;
            self.census.forget();
            self.fleet.is_asked();
        }
    }

    /// Tells of this replica now, because it has begun to drain or, the last time, has ended.
    pub async fn tell_end(&self, has_ended: bool) {
        // A replica that ends must not wait for Redis.
        if timeout(LAST_WORD, self.tell(has_ended)).await.is_err() {
            debug!("could not tell other replicas in time that this replica ends");
        }
    }

    async fn tell(&self, has_ended: bool) {
        let mut last = self.voice.last.lock().await;
        if !self.settings.events.pulse || last.has_ended {
            return;
        }
        last.has_ended = has_ended;
        let pulse = self.pulse(last.round_trip, has_ended);
        // A struct of texts and numbers can't fail to be written.
        let text = serde_json::to_string(&pulse).unwrap_or_default();
        match self.store.tell(text).await {
            Ok(took) => {
                last.round_trip = Some(took.as_micros() as u64);
                last.is_refused = false;
            }
            Err(Untold::NoRight(cause)) => {
                if !std::mem::replace(&mut last.is_refused, true) {
                    warn!(
                        cause,
                        "Redis does not let this replica tell others of itself: its user needs +xadd and +pexpire on gorilla:pulse"
                    );
                }
            }
            // Whatever is wrong with Redis, the log has it from the link.
            Err(Untold::Now(cause)) => debug!(cause, "could not tell other replicas of this one"),
        }
    }

    fn pulse(&self, round_trip: Option<u64>, has_ended: bool) -> Pulse {
        let Self { store, metrics, voice, .. } = self;
        let requests = &metrics.requests;
        let succeeded = |operations: &[Operation]| operations.iter().map(|one| requests.succeeded(*one)).sum();
        let acquires = [Operation::Acquire, Operation::AcquireSet];
        let refused = acquires.iter().flat_map(|one| REFUSED.map(|code| requests.refused(*one, code))).sum();
        let state = match (has_ended, self.is_draining(), self.keeps_records()) {
            (true, ..) => State::Ended,
            (_, true, _) => State::Draining,
            (.., false) => State::NotReady,
            _ => State::Ready,
        };
        let started = voice.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        Pulse {
            id: store.replica().into(),
            version: env!("CARGO_PKG_VERSION").into(),
            state,
            started: started.as_millis() as i64,
            uptime: voice.since.elapsed().as_millis() as i64,
            totals: Totals {
                grants: succeeded(&acquires),
                refused,
                // The token in the path and the token in a header are counted together.
                extends: succeeded(&[Operation::Extend]),
                releases: succeeded(&[Operation::Release]),
                breaks: succeeded(&[Operation::Break]),
            },
            wait: metrics.fleet.wait.counts(),
            hold: metrics.fleet.hold.counts(),
            latency: metrics.fleet.latency.counts(),
            waiters: store.waiting() as u64,
            listeners: self.feed.listeners() as u64,
            in_flight: store.in_flight() as u64,
            round_trip,
            held: self.census.counted(),
            lines: Line::hottest(store.longest_lines(MOST_LINES), metrics.fleet.hot.look(), MOST_LINES),
        }
    }
}

/// Tells of a replica until it ends.
pub fn begin(service: &Arc<Service>) {
    let service = Arc::clone(service);
    tokio::spawn(async move { service.beat().await });
}
