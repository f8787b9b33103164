//! Several locks at once: how a client asks for a set, what it does with it, and how it gives the set back.

use std::time::Duration;

use gorilla_harness::{Api, lock_path};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    Asked, Client, Held, RETRIES,
    requests::{OF_SET, PATIENCE, is_known},
    wishes,
};
use crate::history::{Acquire, AcquireSet, Event, Kind, Moment, ToldSet};

const PATH: &str = "/api/v1/locks";
const MILLISECOND: Moment = 1_000_000;

/// What a set was asked for, and the body that says so.
struct Wanted {
    /// Each lock, in the order of the request.
    parts: Vec<Asked>,
    key: Option<String>,
    wait: Duration,
    body: Value,
}

impl Client {
    /// Takes a set, uses what its locks protect, renews it for a while, and gives it back.
    pub(super) async fn hold_set(&mut self) {
        let wanted = self.wanted();
        let Some(mut held) = self.take_set(&wanted).await else { return };
        loop {
            for one in &held {
                self.use_register(one).await;
            }
            if self.random.u32(..3) > 0 {
                break;
            }
            if !self.renew(&mut held).await {
                break;
            }
        }
        // Some clients forget to release the locks.
        if self.one_in(40) {
            let forgotten = held.into_iter().map(|one| (one.asked.resource, one.grant.fence, one.token));
            return self.stale.extend(forgotten);
        }
        self.give_back(held).await;
        // A copy of the request was on its way all the time.
        if wanted.key.is_some()
            && self.one_in(8)
            && let (_, Some(again)) = self.ask_set(&wanted, None).await
        {
            self.give_back(again).await;
        }
    }

    fn wanted(&mut self) -> Wanted {
        let owner = format!("{OF_SET}{}-{}", self.name, self.world.number());
        let key = self.random.bool().then(|| format!("k{}", self.world.number()));
        let (lease, wait) =
            (self.random.u64(500..2500), if self.random.bool() { self.random.u64(200..2500) } else { 0 });
        let (mut parts, mut resources) = (Vec::new(), Vec::new());
        // One server takes locks that are wanted alone in one step, and others one after another.
        let alone = self.random.bool();
        for index in wishes::set(&mut self.random) {
            let resource = self.world.resources[index].clone();
            let share = if alone { None } else { wishes::share(index, &mut self.random) };
            let mut one = json!({ "resource": resource });
            wishes::want(&mut one, share);
            resources.push(one);
            parts.push(Asked { resource, owner: owner.clone(), key: key.clone(), lease, wait, share });
        }
        let mut body = wishes::lease(lease);
        body["owner"] = owner.into();
        body["resources"] = resources.into();
        if wait > 0 {
            body["wait"] = (wait as f64 / 1000.0).into();
        }
        Wanted { parts, key, wait: Duration::from_millis(wait), body }
    }

    async fn take_set(&mut self, wanted: &Wanted) -> Option<Vec<Held>> {
        let hangs_up = self.one_in(self.hangs_up);
        let within = if wanted.wait.is_zero() { 8_000 } else { 400_000 };
        let hangs_up = hangs_up.then(|| Duration::from_micros(self.random.u64(..within)));
        let mut attempt = 0;
        loop {
            let (known, held) = self.ask_set(wanted, hangs_up).await;
            if hangs_up.is_some() {
                return None;
            }
            attempt += 1;
            // Without a key, asking again would be another request.
            if held.is_some() || known || wanted.key.is_none() || attempt > RETRIES || self.world.is_over() {
                return held;
            }
            sleep(Duration::from_millis(self.random.u64(20..200))).await;
        }
    }

    /// Sends a request for a set; whether the outcome is known, and what is held if it was granted.
    async fn ask_set(&mut self, wanted: &Wanted, hangs_up: Option<Duration>) -> (bool, Option<Vec<Held>>) {
        let Some(api) = self.world.any_of_this_version(&mut self.random) else { return (true, None) };
        let (key, body, asked) = (wanted.key.as_deref(), wanted.body.clone(), self.world.now());
        let breaks_part = hangs_up.is_none() && !wanted.wait.is_zero() && self.one_in(3);
        let after = Duration::from_millis(self.random.u64(20..300));
        let (answer, over) = match hangs_up {
            Some(after) => {
                let headers: Vec<_> = key.iter().map(|key| ("Idempotency-Key", *key)).collect();
                let answer = api.abandoned(PATH, &headers, &body.to_string(), after).await;
                (answer, self.world.now())
            }
            None => {
                let request = async {
                    let request = ("set", Method::POST, PATH);
                    let answer = self.send_to(&api, request, key, Some(body), PATIENCE + wanted.wait).await;
                    (answer, self.world.now())
                };
                let fault = async {
                    if breaks_part {
                        sleep(after).await;
                        self.break_part(&api, wanted).await;
                    }
                };
                tokio::join!(request, fault).0
            }
        };
        let answered = answer.as_ref().map(|_| over);
        let mut set = AcquireSet {
            owner: wanted.parts[0].owner.clone(),
            wait: u64::try_from(wanted.wait.as_nanos()).unwrap_or(Moment::MAX),
            asked,
            answered,
            gave_up: answer.is_none().then_some(over),
            hung_up: hangs_up.is_some(),
            ..AcquireSet::default()
        };
        let part = |of: &Asked| Acquire {
            resource: of.resource.clone(),
            owner: of.owner.clone(),
            waits: !wanted.wait.is_zero(),
            key: of.key.clone(),
            asked,
            answered,
            in_set: true,
            ..Acquire::default()
        };
        set.parts = wanted.parts.iter().map(part).collect();
        let (mut held, mut in_the_way, mut breaks) = (None, None, false);
        if let Some(answer) = answer {
            let facts = answer.json();
            set.known = is_known(answer.status, &facts);
            if answer.status == 200 {
                held = Some(self.granted_set(&wanted.parts, &mut set, &facts));
            } else {
                let by = facts["resource"].as_str().zip(facts["fence"].as_u64());
                in_the_way = by.map(|(resource, fence)| (resource.to_string(), fence));
                breaks = self.breaks(&facts);
            }
        }
        for part in &mut set.parts {
            part.known = set.known;
            part.held_by = in_the_way.as_ref().filter(|(by, _)| *by == part.resource).map(|(_, fence)| *fence);
        }
        let known = set.known;
        self.world.note(Event::Set(set));
        if let Some((resource, fence)) = in_the_way.filter(|_| breaks) {
            self.break_grant(&resource, fence).await;
        }
        (known, held)
    }

    /// Breaks the part that a set takes first, if the set has it.
    async fn break_part(&self, api: &Api, wanted: &Wanted) {
        let Some(part) = wanted.parts.iter().min_by_key(|part| &part.resource) else { return };
        let request = ("state", Method::GET, lock_path(&part.resource));
        let state = self.send_to(api, (request.0, request.1, &request.2), None, None, PATIENCE).await;
        let Some(state) = state.filter(|state| state.status == 200).map(|state| state.json()) else { return };
        if let Some(fence) = state["fence"].as_u64().filter(|_| state["owner"] == part.owner.as_str()) {
            self.send_break(api, &part.resource, fence, None).await;
        }
    }

    /// Notes what the grant of a set tells. A part that the answer doesn't have is not held.
    fn granted_set(&self, asked: &[Asked], set: &mut AcquireSet, facts: &Value) -> Vec<Held> {
        let locks = facts["locks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let number = |name: &str| facts[name].as_u64().unwrap_or_else(|| panic!("{facts} has no {name}"));
        let waited = number("waitedMs") * MILLISECOND;
        let name = |lock: &Value| lock["resource"].as_str().unwrap_or_default().to_string();
        set.told = Some(ToldSet { resources: locks.iter().map(name).collect(), ttl: number("ttlMs") * MILLISECOND });
        let mut held = Vec::new();
        for (part, of) in set.parts.iter_mut().zip(asked) {
            let Some(lock) = locks.iter().find(|lock| name(lock) == part.resource) else { continue };
            let (grant, token) = self.grant(lock);
            part.grant = Some(grant);
            part.waited = waited;
            held.push(Held { asked: of.clone(), grant, token, valid_until: part.asked + waited + grant.ttl });
        }
        held
    }

    /// Gives back what is held: in one request, or one lock after another.
    async fn give_back(&mut self, held: Vec<Held>) {
        if self.one_in(4) {
            for one in held {
                self.release(one).await;
            }
            return;
        }
        self.batch(held, Kind::Release).await;
    }
}
