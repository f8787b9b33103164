//! A client: it takes locks of all kinds and sets of them, waits for them, uses what they protect, extends, converts and
//! releases them, one by one or many in one request. At times it is paused, hangs up, forgets a lock, asks again, breaks a
//! lock, pins a limit, or tries a token that it should have thrown away.

mod batches;
mod requests;
mod sets;
mod wishes;

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use self::wishes::Share;
use crate::{
    history::{End, Event, Grant, Kind, Moment, Read, Update},
    world::World,
};

/// The longest lease that clients ask for, in milliseconds.
pub const LONGEST_LEASE: u64 = 3000;
/// How often a request of unknown outcome is sent again.
const RETRIES: u32 = 6;

/// One client.
pub struct Client {
    world: Arc<World>,
    random: fastrand::Rng,
    name: String,
    /// It hangs up during one in so many acquires.
    hangs_up: u32,
    /// It always waits, for one lock that it holds for long, and rests for long.
    is_patient: bool,
    /// Tokens that must not act any more: of which resource, of which grant, and the token.
    stale: Vec<(String, u64, String)>,
}

/// What it holds.
struct Held {
    asked: Asked,
    grant: Grant,
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
    /// What it wants of a shared lock; `None` to have the lock alone.
    share: Option<Share>,
}

impl Client {
    /// A client whose choices follow from the seed. It hangs up during one in so many acquires.
    pub fn new(world: &Arc<World>, name: String, seed: u64, hangs_up: u32, is_patient: bool) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { world: Arc::clone(world), random, name, hangs_up, is_patient, stale: Vec::new() }
    }

    /// Goes on until the world is over.
    pub async fn run(mut self) {
        while !self.world.is_over() {
            if !self.is_patient && self.one_in(4) {
                self.hold_set().await;
            } else if let Some(held) = self.take().await {
                self.work(held).await;
            }
            if self.one_in(6) {
                self.try_stale().await;
            }
            let rest = if self.is_patient { 200..500 } else { 10..80 };
            sleep(Duration::from_millis(self.random.u64(rest))).await;
        }
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.random.u32(..many) == 0
    }

    /// Asks for a lock in one of the ways there are.
    async fn take(&mut self) -> Option<Held> {
        let index = if self.is_patient { wishes::PATIENT } else { self.random.usize(..wishes::PATIENT) };
        let resource = self.world.resources[index].clone();
        if wishes::is_pinned_at_times(index) && self.one_in(12) {
            self.pin(&resource).await;
        }
        let share = wishes::share(index, &mut self.random);
        let owner = format!("{}-{}", self.name, self.world.number());
        let wait = wishes::wait(index, share, &mut self.random);
        let key = self.random.bool().then(|| format!("k{}", self.world.number()));
        let hang_up = self.one_in(self.hangs_up);
        let lease = match share {
            _ if hang_up || self.is_patient => LONGEST_LEASE,
            None => self.random.u64(500..2500),
            // Leases that go on while others come and go.
            Some(_) => self.random.u64(500..LONGEST_LEASE),
        };
        let request = Asked { resource, owner, key, lease, wait, share };
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

    /// Does what the lock was taken for, and gives it back.
    async fn work(&mut self, mut held: Held) {
        if self.is_patient {
            sleep(Duration::from_millis(self.random.u64(200..600))).await;
        }
        loop {
            self.use_register(&held).await;
            let goes_on = match self.random.u32(..12) {
                0..2 => self.extend(&mut held).await,
                2 => {
                    let mut renewed = vec![held];
                    self.renew(&mut renewed).await;
                    let Some(one) = renewed.pop() else { return };
                    held = one;
                    true
                }
                3 => self.convert(&mut held).await,
                // Its last token is dead, though it holds the lock.
                4 if self.stale.last().is_some_and(|(_, fence, _)| *fence == held.grant.fence) => {
                    self.stale.extend(self.stale.last().cloned());
                    self.try_token(self.stale.len() - 1).await;
                    true
                }
                // Whoever wants the lock alone waits for long, and others wait behind it.
                5..8 if held.grant.part.is_some_and(|part| part.limit.is_none()) => {
                    let most = held.valid_until.saturating_sub(self.world.now()) / 1_000_000;
                    sleep(Duration::from_millis(self.random.u64(most / 2..most + 1))).await;
                    self.extend(&mut held).await
                }
                _ => break,
            };
            if !goes_on {
                return;
            }
        }
        // Some clients forget to release the lock, and remember when it is too late.
        if self.one_in(40) {
            self.stale.push((held.asked.resource, held.grant.fence, held.token));
            return;
        }
        let asked = held.asked.clone();
        self.release(held).await;
        // A copy of the request was on its way all the time.
        if asked.key.is_some()
            && self.one_in(8)
            && let (_, Some(again)) = self.ask(&asked, None).await
        {
            self.release(again).await;
        }
    }

    /// Adds one to the registers that the lock protects; or reads them twice, if others have the lock too.
    async fn use_register(&mut self, held: &Held) {
        if self.world.now() >= held.valid_until {
            return;
        }
        let read = [0, 1].map(|which| self.read(which, held));
        let mut pause = Duration::from_micros(self.random.u64(..8_000));
        // The client is paused for longer than the lease, and doesn't notice.
        if self.one_in(50) {
            pause = Duration::from_millis(held.asked.lease + self.random.u64(50..400));
        }
        sleep(pause).await;
        for (which, value) in read.into_iter().enumerate() {
            match value {
                None => {}
                Some(_) if held.grant.part.is_some() => drop(self.read(which, held)),
                Some(value) => {
                    let (at, registers) = (self.world.now(), &self.world.registers[which]);
                    let (value, fence) = (value + 1, held.grant.fence);
                    let (resource, fenced) = (held.asked.resource.clone(), registers.fenced());
                    let accepted = registers.write(&resource, (fence, held.grant.floor()), value);
                    self.world.note(Event::Update(Update { resource, fence, value, accepted, fenced, at }));
                }
            }
        }
    }

    fn read(&self, which: usize, held: &Held) -> Option<u64> {
        let (at, registers) = (self.world.now(), &self.world.registers[which]);
        let (resource, fence, fenced) = (held.asked.resource.clone(), held.grant.fence, registers.fenced());
        let value = registers.read(&resource, (fence, held.grant.floor()));
        // Who has the lock alone changes what it has read.
        if held.grant.part.is_some() || value.is_none() {
            self.world.note(Event::Read(Read { resource, fence, value, fenced, at }));
        }
        value
    }

    /// Renews the lease; whether it is renewed.
    async fn extend(&mut self, held: &mut Held) -> bool {
        let (asked, body) = (self.world.now(), wishes::lease(held.asked.lease));
        let (resource, token) = (held.asked.resource.clone(), held.token.clone());
        match self.use_token(Kind::Extend, &resource, held.grant.fence, &token, Some(body)).await {
            (End::Done(grant), Some(new)) => {
                self.stale.push((resource, held.grant.fence, std::mem::replace(&mut held.token, new)));
                held.valid_until = held.valid_until.max(asked + grant.ttl);
                true
            }
            _ => false,
        }
    }

    /// Shares what it had alone, or has alone what it shared; whether it still holds the lock.
    async fn convert(&mut self, held: &mut Held) -> bool {
        let (asked, resource, token) = (self.world.now(), held.asked.resource.clone(), held.token.clone());
        let share = match held.grant.part {
            Some(_) => None,
            None => Some(wishes::downgrade(&mut self.random)),
        };
        let mut body = wishes::lease(held.asked.lease);
        wishes::want(&mut body, share);
        match self.use_token(Kind::Convert, &resource, held.grant.fence, &token, Some(body)).await {
            (End::Done(grant), Some(new)) => {
                self.stale.push((resource, held.grant.fence, std::mem::replace(&mut held.token, new)));
                (held.grant, held.valid_until) = (grant, asked + grant.ttl);
                true
            }
            (end, _) => matches!(end, End::Declined | End::NotExecuted),
        }
    }

    async fn release(&mut self, held: Held) {
        let (resource, fence) = (held.asked.resource, held.grant.fence);
        let end = self.use_token(Kind::Release, &resource, fence, &held.token, None).await.0;
        if !matches!(end, End::NotExecuted) {
            self.stale.push((resource, fence, held.token));
        }
    }

    /// Uses a token that must not act any more.
    async fn try_stale(&mut self) {
        if self.stale.is_empty() {
            return;
        }
        let index = self.random.usize(..self.stale.len());
        self.try_token(index).await;
    }

    async fn try_token(&mut self, index: usize) {
        let (resource, fence, token) = self.stale.swap_remove(index);
        let mut body = wishes::lease(LONGEST_LEASE);
        let kind = match self.random.u32(..5) {
            0 | 1 => Kind::Extend,
            2 => Kind::Convert,
            _ => Kind::Release,
        };
        if kind == Kind::Convert {
            // A token of a shared lock has a dot.
            let share = (!token.contains('.')).then(|| wishes::downgrade(&mut self.random));
            wishes::want(&mut body, share);
        }
        let body = (kind != Kind::Release).then_some(body);
        self.use_token(kind, &resource, fence, &token, body).await;
    }
}
