//! A client: it takes locks, waits for them, changes what they protect, extends and releases them. At times it is
//! paused, hangs up, forgets a lock, asks again, or tries a token that it should have thrown away.

use std::{sync::Arc, time::Duration};

use gorilla_harness::{Answer, lock_path};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{
    history::{Acquire, End, Event, Grant, Kind, Moment, Update, Use},
    world::World,
};

/// The longest lease that clients ask for, in milliseconds.
pub const LONGEST_LEASE: u64 = 3000;
/// How long a client waits for an answer beyond the time that it lets the lock service wait.
const PATIENCE: Duration = Duration::from_secs(4);
/// How often a request of unknown outcome is sent again.
const RETRIES: u32 = 6;

/// One client.
pub struct Client {
    world: Arc<World>,
    random: fastrand::Rng,
    name: String,
    /// It hangs up during one in so many acquires.
    hangs_up: u32,
    /// Tokens that must not act any more: of which resource, of which grant, and the token.
    stale: Vec<(String, u64, String)>,
}

/// What it holds.
struct Held {
    asked: Asked,
    fence: u64,
    token: String,
    valid_until: Moment,
}

/// What it asked for.
#[derive(Clone)]
struct Asked {
    resource: String,
    owner: String,
    key: Option<String>,
    /// In milliseconds.
    lease: u64,
    /// In milliseconds.
    wait: u64,
}

impl Client {
    /// A client whose choices follow from the seed. It hangs up during one in so many acquires.
    pub fn new(world: &Arc<World>, name: String, seed: u64, hangs_up: u32) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { world: Arc::clone(world), random, name, hangs_up, stale: Vec::new() }
    }

    /// Goes on until the world is over.
    pub async fn run(mut self) {
        while !self.world.is_over() {
            if let Some(held) = self.take().await {
                self.work(held).await;
            }
            if self.random.u32(..6) == 0 {
                self.try_stale().await;
            }
            sleep(Duration::from_millis(self.random.u64(10..80))).await;
        }
    }

    /// Asks for a lock in one of the ways there are.
    async fn take(&mut self) -> Option<Held> {
        let resource = self.world.resources[self.random.usize(..self.world.resources.len())].clone();
        let owner = format!("{}-{}", self.name, self.world.number());
        let wait = if self.random.u32(..5) < 2 { self.random.u64(200..2500) } else { 0 };
        let key = self.random.bool().then(|| format!("k{}", self.world.number()));
        let hang_up = self.random.u32(..self.hangs_up) == 0;
        let lease = if hang_up { LONGEST_LEASE } else { self.random.u64(500..2500) };
        let request = Asked { resource, owner, key, lease, wait };
        // The client hangs up at any time from before Redis has the request until after the answer.
        let hangs_up =
            hang_up.then(|| Duration::from_micros(self.random.u64(..if wait == 0 { 6_000 } else { 400_000 })));
        let mut attempt = 0;
        loop {
            let (known, held) = self.ask(&request, hangs_up).await;
            if hang_up {
                return None;
            }
            if let Some(mut held) = held {
                // A lease counts from when it was asked for. After a wait there may be nothing left of it to count on.
                return (wait == 0 || self.extend(&mut held).await).then_some(held);
            }
            attempt += 1;
            // Without a key, asking again would be another request.
            if known || request.key.is_none() || attempt > RETRIES || self.world.is_over() {
                return None;
            }
            sleep(Duration::from_millis(self.random.u64(20..200))).await;
        }
    }

    /// Sends an acquire; whether the outcome is known, and what is held if it was granted.
    async fn ask(&mut self, request: &Asked, hangs_up: Option<Duration>) -> (bool, Option<Held>) {
        let Asked { resource, owner, key, lease, wait } = request.clone();
        let mut body = json!({ "owner": owner, "timeout": lease as f64 / 1000.0 });
        if wait > 0 {
            body["wait"] = (wait as f64 / 1000.0).into();
        }
        let (asked, path) = (self.world.now(), lock_path(&resource));
        let answer = match hangs_up {
            Some(after) => {
                let headers: Vec<_> = key.iter().map(|key| ("Idempotency-Key", key.as_str())).collect();
                self.world.any(&mut self.random).abandoned(&path, &headers, &body.to_string(), after).await
            }
            None => {
                let patience = PATIENCE + Duration::from_millis(wait);
                self.send("acquire", Method::POST, &path, key.as_deref(), Some(body), patience).await
            }
        };
        let mut acquire = Acquire { resource, owner, waits: wait > 0, key, asked, ..Acquire::default() };
        let mut held = None;
        if let Some(answer) = answer {
            acquire.answered = Some(self.world.now());
            acquire.known = is_known(&answer);
            let facts = answer.json();
            let fence = facts["fence"].as_u64();
            if answer.status == 200 {
                let (token, ttl) = (facts["token"].as_str(), facts["ttlMs"].as_u64());
                let (Some(fence), Some(token), Some(ttl)) = (fence, token, ttl) else {
                    panic!("{facts} is not a lock")
                };
                let ttl = ttl * 1_000_000;
                acquire.grant = Some(Grant { fence, token: self.world.token(token), ttl });
                held = Some(Held { asked: request.clone(), fence, token: token.into(), valid_until: asked + ttl });
            } else {
                // A client that does not get the lock is told which grant holds it.
                acquire.held_by = fence;
            }
        }
        let known = acquire.known;
        self.world.note(Event::Acquire(acquire));
        (known, held)
    }

    /// Does what the lock was taken for, and gives it back.
    async fn work(&mut self, mut held: Held) {
        loop {
            self.update(&held).await;
            if self.random.u32(..4) > 0 {
                break;
            }
            if !self.extend(&mut held).await {
                return;
            }
        }
        // Some clients forget to release the lock.
        if self.random.u32(..40) == 0 {
            return;
        }
        let asked = held.asked.clone();
        self.release(held).await;
        // A copy of the request was on its way all the time.
        if asked.key.is_some()
            && self.random.u32(..8) == 0
            && let (_, Some(again)) = self.ask(&asked, None).await
        {
            self.release(again).await;
        }
    }

    /// Adds one to the registers that the lock protects.
    async fn update(&mut self, held: &Held) {
        if self.world.now() >= held.valid_until {
            return;
        }
        let read = [0, 1].map(|which| self.world.registers[which].read(&held.asked.resource, held.fence));
        let mut pause = Duration::from_micros(self.random.u64(..8_000));
        // The client is paused for longer than the lease, and doesn't notice.
        if self.random.u32(..50) == 0 {
            pause = Duration::from_millis(held.asked.lease + self.random.u64(50..400));
        }
        sleep(pause).await;
        for (registers, value) in self.world.registers.iter().zip(read) {
            let Some(value) = value.map(|value| value + 1) else { continue };
            let (resource, fence, fenced) = (held.asked.resource.clone(), held.fence, registers.fenced());
            let accepted = registers.write(&resource, fence, value);
            self.world.note(Event::Update(Update { resource, fence, value, accepted, fenced }));
        }
    }

    /// Renews the lease; whether it is renewed.
    async fn extend(&mut self, held: &mut Held) -> bool {
        let asked = self.world.now();
        let body = json!({ "timeout": held.asked.lease as f64 / 1000.0 });
        let (resource, token) = (held.asked.resource.clone(), held.token.clone());
        match self.use_token(Kind::Extend, &resource, held.fence, &token, Some(body)).await {
            (End::Done { ttl, .. }, Some(new)) => {
                self.stale.push((resource, held.fence, std::mem::replace(&mut held.token, new)));
                held.valid_until = held.valid_until.max(asked + ttl);
                true
            }
            _ => false,
        }
    }

    async fn release(&mut self, held: Held) {
        let end = self.use_token(Kind::Release, &held.asked.resource, held.fence, &held.token, None).await.0;
        if !matches!(end, End::NotExecuted) {
            self.stale.push((held.asked.resource, held.fence, held.token));
        }
    }

    /// Uses a token that must not act any more.
    async fn try_stale(&mut self) {
        if self.stale.is_empty() {
            return;
        }
        let (resource, fence, token) = self.stale.swap_remove(self.random.usize(..self.stale.len()));
        let (kind, body) = match self.random.bool() {
            true => (Kind::Extend, Some(json!({ "timeout": LONGEST_LEASE as f64 / 1000.0 }))),
            false => (Kind::Release, None),
        };
        self.use_token(kind, &resource, fence, &token, body).await;
    }

    /// Sends a token, with a key in half of the cases, and then until the outcome is known.
    async fn use_token(
        &mut self,
        kind: Kind,
        resource: &str,
        fence: u64,
        token: &str,
        body: Option<Value>,
    ) -> (End, Option<String>) {
        let key = self.random.bool().then(|| format!("k{}", self.world.number()));
        let (what, method) = match kind {
            Kind::Extend => ("extend", Method::PUT),
            Kind::Release => ("release", Method::DELETE),
        };
        let mut attempt = 0;
        loop {
            let asked = self.world.now();
            let path = format!("{}/{token}", lock_path(resource));
            let answer = self.send(what, method.clone(), &path, key.as_deref(), body.clone(), PATIENCE).await;
            let (mut end, mut new) = (End::Unknown, None);
            if let Some(answer) = &answer {
                end = match answer.status {
                    200 | 204 => {
                        let lock: Value = serde_json::from_str(&answer.text).unwrap_or_default();
                        new = lock["token"].as_str().map(String::from);
                        let token = new.as_deref().map_or(0, |new| self.world.token(new));
                        End::Done { token, ttl: lock["ttlMs"].as_u64().unwrap_or(0) * 1_000_000 }
                    }
                    404 | 409 => End::Refused,
                    _ if is_known(answer) => End::NotExecuted,
                    _ => End::Unknown,
                };
            }
            let (number, answered) = (self.world.token(token), answer.map(|_| self.world.now()));
            let (resource, key_sent) = (resource.into(), key.clone());
            self.world.note(Event::Use(Use {
                resource,
                fence,
                token: number,
                key: key_sent,
                asked,
                answered,
                kind,
                end,
            }));
            attempt += 1;
            let again = match end {
                End::Unknown => key.is_some(),
                End::NotExecuted => true,
                _ => false,
            };
            if !again || attempt > RETRIES {
                return (end, new);
            }
            sleep(Duration::from_millis(self.random.u64(20..200))).await;
        }
    }

    async fn send(
        &mut self,
        what: &'static str,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
        patience: Duration,
    ) -> Option<Answer> {
        let api = self.world.any(&mut self.random);
        let headers: Vec<_> = key.iter().map(|key| ("Idempotency-Key", *key)).collect();
        let sent = api.try_send(method, path, &headers, body.map(|body| body.to_string()));
        let answer = timeout(patience, sent).await.ok()?.ok();
        let said = match &answer {
            None => "connection failed".into(),
            Some(answer) => match serde_json::from_str::<Value>(&answer.text).unwrap_or_default()["code"].as_str() {
                Some(code) => format!("{} {code}", answer.status),
                None => answer.status.to_string(),
            },
        };
        self.world.answered(what, said);
        answer
    }
}

/// Whether an answer tells what became of the request.
fn is_known(answer: &Answer) -> bool {
    answer.status < 500 || answer.json()["outcome"] == "not_executed"
}
