//! Many clients want one lock at once. What each of them saw goes to the checker, which is also shown to find what
//! broken scripts do.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use fred::{
    clients::Client,
    interfaces::ClientLike,
    types::{Builder, ClusterHash, CustomCommand, Resp3Frame, Value, config::Config},
};
use futures_util::future::join_all;
use gorilla_scripts::{
    self as calls, AcquireReply, Call, Constants, Extend, ExtendReply, Keys, Reader, Recording, Release, ReleaseReply,
    Request, Scripts, Try, together,
};
use uuid::Uuid;

use gorilla_faults::{
    check::{Property, Violation, check},
    history::{Acquire, End, Event, Grant, History, Kind, Moment, Use},
};

use crate::harness::{Api, Redis, Replica, name};

/// Ends long after a client is done with the lock.
const LONG: Duration = Duration::from_secs(30);
/// For the few clients that leave without a release.
const SHORT: Duration = Duration::from_millis(100);

/// One resource of a lock service.
trait Lock {
    /// The fence and the token; `None` if another client holds the lock.
    async fn acquire(&self, owner: &str, lease: Duration) -> Option<(u64, String)>;
    /// The new token; `None` if the lock is lost.
    async fn extend(&self, token: &str, lease: Duration) -> Option<String>;
    /// Whether the lock was still there to be released.
    async fn release(&self, token: &str) -> bool;
}

/// When a run ends, and what came of it.
struct Run {
    begun: Instant,
    limit: Duration,
    most: usize,
    granted: Cell<usize>,
    /// Extends and releases within the lease that were refused.
    lost: Cell<usize>,
}

impl Run {
    fn new(limit: Duration, most: usize) -> Self {
        Self { begun: Instant::now(), limit, most, granted: Cell::new(0), lost: Cell::new(0) }
    }

    fn now(&self) -> Moment {
        self.begun.elapsed().as_nanos() as Moment
    }

    /// Lets so many clients contend until the time or the number of grants is reached.
    async fn contend(&self, lock: &impl Lock, clients: usize) -> Vec<Event> {
        let (granted, begun) = (self.granted.get(), Instant::now());
        let goes_on = || self.granted.get() - granted < self.most && begun.elapsed() < self.limit;
        let clients = join_all((0..clients).map(|client| self.client(lock, format!("client-{client}"), &goes_on)));
        clients.await.into_iter().flatten().collect()
    }

    async fn client(&self, lock: &impl Lock, owner: String, goes_on: &impl Fn() -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        while goes_on() {
            // One in a hundred leaves without a release, so that leases end by themselves too.
            let stays = fastrand::u32(0..100) > 0;
            let lease = if stays { LONG } else { SHORT };
            let asked = self.now();
            let Some((fence, token)) = lock.acquire(&owner, lease).await else {
                // The more often 63 losers ask, the longer the holder's own requests wait for a processor.
                tokio::time::sleep(Duration::from_micros(fastrand::u64(0..200_000))).await;
                continue;
            };
            let grant = Some(Grant { fence, token: number(&token), ttl: nanoseconds(lease), part: None });
            let answered = Some(self.now());
            events.push(Event::Acquire(Acquire { owner: owner.clone(), asked, answered, grant, ..Acquire::default() }));
            self.granted.set(self.granted.get() + 1);
            if stays {
                self.hold_and_release(lock, fence, token, &mut events).await;
            }
        }
        events
    }

    async fn hold_and_release(&self, lock: &impl Lock, fence: u64, mut token: String, events: &mut Vec<Event>) {
        if fastrand::bool() {
            tokio::task::yield_now().await;
        }
        if fastrand::u32(0..4) == 0 {
            let asked = self.now();
            let new = lock.extend(&token, LONG).await;
            let done =
                |new: &String| End::Done(Grant { fence, token: number(new), ttl: nanoseconds(LONG), part: None });
            events.push(self.used(Kind::Extend, fence, &token, asked, new.as_ref().map_or(End::Refused, done)));
            token = new.unwrap_or(token);
        }
        let asked = self.now();
        let end = if lock.release(&token).await { End::Done(Grant::default()) } else { End::Refused };
        events.push(self.used(Kind::Release, fence, &token, asked, end));
    }

    fn used(&self, kind: Kind, fence: u64, token: &str, asked: Moment, end: End) -> Event {
        if end == End::Refused {
            self.lost.set(self.lost.get() + 1);
        }
        let (resource, token, answered) = (String::new(), number(token), Some(self.now()));
        Event::Use(Use { resource, fence, token, key: None, asked, answered, kind, end })
    }
}

/// Stands for a token in a history.
fn number(token: &str) -> u64 {
    Uuid::parse_str(token).expect("a token is a UUID").as_u64_pair().0
}

fn nanoseconds(lease: Duration) -> Moment {
    lease.as_nanos() as Moment
}

/// What the checker says of the events of one resource.
fn judge(events: Vec<Event>) -> Vec<Violation> {
    check(&History { events })
}

/// A resource over HTTP; each request goes to any of the replicas.
struct Served<'a> {
    replicas: &'a [Replica],
    resource: String,
}

impl Served<'_> {
    fn any(&self) -> &Api {
        &self.replicas[fastrand::usize(0..self.replicas.len())].api
    }
}

impl Lock for Served<'_> {
    async fn acquire(&self, owner: &str, lease: Duration) -> Option<(u64, String)> {
        let answer = self.any().acquire(&self.resource, owner, lease.as_secs_f64()).await;
        match answer.status {
            200 => {
                let lock = answer.json();
                Some((lock["fence"].as_u64()?, lock["token"].as_str()?.into()))
            }
            409 => None,
            _ => panic!("{answer:?}"),
        }
    }

    async fn extend(&self, token: &str, lease: Duration) -> Option<String> {
        let answer = self.any().extend(&self.resource, token, lease.as_secs_f64()).await;
        (answer.status == 200).then(|| answer.json()["token"].as_str().map(String::from))?
    }

    async fn release(&self, token: &str) -> bool {
        self.any().release(&self.resource, token).await.status == 204
    }
}

/// A resource in Redis itself, by scripts that a test may break.
struct Scripted {
    client: Client,
    scripts: Scripts,
    lock: String,
    /// The text of `lua/try.lua` as it is run.
    acquire: String,
}

impl Scripted {
    /// Replaces a piece of the text of `lua/try.lua`, put together.
    async fn with_acquire(redis: &Redis, replace: Option<(&str, &str)>) -> Self {
        let scripts = Scripts::new(&Constants {
            grace: Duration::ZERO,
            window: Duration::from_secs(60),
            fence_kept: Duration::from_secs(24 * 60 * 60),
            place_kept: Duration::from_secs(10),
            longest_attempt: Duration::from_secs(120),
            room: 1,
            holders: 10,
            events: Recording::At("scripted:events"),
        });
        let mut acquire = scripts.try_acquire.source.to_string();
        if let Some((sound, broken)) = replace {
            assert!(acquire.contains(sound), "{sound:?} stands in the script");
            acquire = acquire.replace(sound, broken);
        }
        let client = Builder::from_config(Config::from_url(&redis.url()).expect("a URL")).build().expect("a client");
        client.init().await.expect("Redis answers");
        Self { client, scripts, lock: Keys::new("scripted").lock(name("contended")), acquire }
    }

    async fn run<C: Call>(&self, source: &str, call: &C) -> C::Reply {
        let request = Request::new(&self.scripts, Some(self.lock.clone()), call);
        let (keys, arguments) = together([&request].into_iter());
        let mut all: Vec<Value> = vec![source.into(), (keys.len() as i64).into()];
        all.extend(keys.into_iter().chain([arguments]).map(Value::Bytes));
        let command = CustomCommand::new_static("EVAL", ClusterHash::FirstKey, false);
        let reply = self.client.custom_raw(command, all).await.expect("Redis answers");
        let Resp3Frame::BlobString { data, .. } = reply else { panic!("the script runs: {reply:?}") };
        let (outcome, mut reader) = Reader::open(data).expect("a reply");
        C::reply(&outcome, &mut reader).expect("a reply of the script")
    }
}

impl Lock for Scripted {
    async fn acquire(&self, owner: &str, lease: Duration) -> Option<(u64, String)> {
        let (id, token) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
        let call = calls::Acquire {
            id: &id,
            token: &token,
            owner,
            metadata: "[]",
            lease: lease.as_millis() as u64,
            request: None,
            print: None,
            wait: None,
            channel: "",
            rank: None,
            by: None,
        };
        match self.run(&self.acquire, &Try(call)).await {
            AcquireReply::Granted { fence, .. } => Some((fence, token)),
            _ => None,
        }
    }

    async fn extend(&self, token: &str, lease: Duration) -> Option<String> {
        let (new_token, lease) = (Uuid::new_v4().to_string(), lease.as_millis() as u64);
        let call = Extend { token, new_token: &new_token, lease, metadata: None, request: None, print: None };
        let reply = self.run(&self.scripts.extend.source, &call).await;
        matches!(reply, ExtendReply::Extended(_)).then_some(new_token)
    }

    async fn release(&self, token: &str) -> bool {
        let reply = self.run(&self.scripts.release.source, &Release { token, request: None, print: None }).await;
        matches!(reply, ReleaseReply::Released { .. })
    }
}

#[tokio::test]
async fn sixty_four_clients_of_four_replicas_never_hold_one_lock_together() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let (url, quiet) = (redis.url(), [("GORILLA__LOG__REQUESTS", "false")]);
    let replicas = join_all((0..4).map(|_| Replica::with(&url, &quiet))).await;
    let lock = Served { replicas: &replicas, resource: name("contended") };

    let run = Run::new(Duration::from_secs(20), 20_000);
    let events = run.contend(&lock, 64).await;
    println!("{} grants in {:?}", run.granted.get(), run.begun.elapsed());
    let used = |kind| events.iter().filter(|event| matches!(event, Event::Use(used) if used.kind == kind)).count();
    let (extended, released) = (used(Kind::Extend), used(Kind::Release));
    assert_eq!(judge(events), []);
    assert_eq!(run.lost.get(), 0, "extends and releases by the holder succeed");
    assert!(run.granted.get() > 100, "only {} grants", run.granted.get());
    assert!(extended > 0 && released < run.granted.get(), "some extend, and some leave without a release");
}

#[tokio::test]
async fn the_checker_is_content_with_the_scripts_as_they_are() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let lock = Scripted::with_acquire(&redis, None).await;
    let run = Run::new(Duration::from_secs(5), 500);
    let events = run.contend(&lock, 16).await;
    assert_eq!((judge(events), run.lost.get()), (vec![], 0));
    assert!(run.granted.get() >= 100, "only {} grants", run.granted.get());
}

/// Which promises a broken `lua/try.lua` breaks.
async fn broken(sound: &str, broken: &str, most: usize) -> Vec<Violation> {
    let redis = Redis::start(&["--appendonly", "no"]);
    let lock = Scripted::with_acquire(&redis, Some((sound, broken))).await;
    judge(Run::new(Duration::from_secs(5), most).contend(&lock, 16).await)
}

fn breaks(found: &[Violation], property: Property) -> bool {
    found.iter().any(|violation| violation.property() == property)
}

#[tokio::test]
async fn the_checker_finds_an_acquire_that_does_not_look_whether_the_lock_is_held() {
    let found = broken("local found = call('EXISTS', lock, queue,", "local found = call('EXISTS', queue,", 500).await;
    assert!(breaks(&found, Property::Exclusion), "{found:?}");
}

/// Takes the clock as the fence, and tells the last fence.
const FENCE: &str = "\
local last = call('SET', fence_key, fence, 'PX', '86400000', 'GET')";

#[tokio::test]
async fn the_checker_finds_a_fence_that_never_changes() {
    let found = broken(FENCE, "local last fence = '7'", 100).await;
    assert!(found.contains(&Violation::FenceTwice { resource: String::new(), fence: 7 }), "{found:?}");
    assert!(found.iter().any(|violation| matches!(violation, Violation::FenceNotRising { .. })), "{found:?}");
    assert!(!breaks(&found, Property::Exclusion), "{found:?}");
}

/// What breaks beside exclusion where Redis loses everything while nobody holds the lock.
async fn across_a_loss(fence: Option<&str>) -> Vec<Violation> {
    let redis = Redis::start(&["--appendonly", "no"]);
    let lock = Scripted::with_acquire(&redis, fence.map(|broken| (FENCE, broken))).await;
    let run = Run::new(Duration::from_secs(5), 100);
    let mut events = run.contend(&lock, 16).await;
    assert_eq!(redis.cli(&["FLUSHALL"]), "OK");
    events.extend(run.contend(&lock, 16).await);
    judge(events).into_iter().filter(|violation| violation.property() != Property::Exclusion).collect()
}

#[tokio::test]
async fn the_checker_finds_a_fence_that_only_counts_once_redis_has_lost_its_data() {
    let found = across_a_loss(Some("local last fence = call('INCR', fence_key) .. ''")).await;
    assert!(found.iter().any(|violation| matches!(violation, Violation::FenceTwice { .. })), "{found:?}");
    assert!(found.iter().any(|violation| matches!(violation, Violation::FenceNotRising { .. })), "{found:?}");
}

#[tokio::test]
async fn fences_of_the_script_as_it_is_rise_across_the_same_loss() {
    assert_eq!(across_a_loss(None).await, []);
}
