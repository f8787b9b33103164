//! Listeners: clients that are told what happens to the locks, one by a stream and one by polls. At times, and whenever
//! a replica fails them, they go on at another replica, from where they stand or from a cursor before that.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::DateTime;
use gorilla_harness::Api;
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    heard::{Happened, Heard, Told, VISITOR},
    history::Event,
    world::World,
};

/// How long a listener waits for an answer that should come at once.
const PATIENCE: Duration = Duration::from_secs(4);
/// So many of the last cursors a listener may go back to.
const REMEMBERED: usize = 20;

/// The listeners of a run.
pub struct Audience {
    tasks: JoinSet<()>,
    heard: [Arc<Progress>; 2],
}

/// How far a listener has come.
#[derive(Default)]
struct Progress {
    /// Whether it has begun.
    has_begun: AtomicBool,
    /// By lock: the last fence of a visitor that it was told of.
    visits: Mutex<HashMap<String, u64>>,
}

impl Audience {
    /// Two listeners, and waits until both listen.
    pub async fn begin(world: &Arc<World>, seed: u64) -> Self {
        let heard: [Arc<Progress>; 2] = Default::default();
        let mut tasks = JoinSet::new();
        for (number, progress) in (0..).zip(&heard) {
            tasks.spawn(Listener::new(world, number, seed * 1000 + 500 + number, progress).run(number == 0));
        }
        let audience = Self { tasks, heard };
        gorilla_harness::eventually("both listeners listen", Duration::from_secs(60), || async {
            audience.heard.iter().all(|one| one.has_begun.load(Relaxed))
        })
        .await;
        audience
    }

    /// Whether all were told of the visitor that got a lock with this fence.
    pub fn has_heard(&self, resource: &str, fence: u64) -> bool {
        self.heard.iter().all(|one| {
            let visits = one.visits.lock().unwrap_or_else(PoisonError::into_inner);
            visits.get(resource).is_some_and(|last| *last >= fence)
        })
    }

    /// Ends the listeners.
    pub async fn end(mut self) {
        if let Some(ended) = self.tasks.try_join_next() {
            ended.expect("a listener goes on until it is ended");
        }
        self.tasks.shutdown().await;
    }
}

/// A listener.
struct Listener {
    world: Arc<World>,
    random: fastrand::Rng,
    number: u64,
    progress: Arc<Progress>,
    /// How many things it was told.
    count: u64,
    /// Where it stands.
    cursor: Option<String>,
    /// Where it stood before, since events were last missing.
    before: VecDeque<String>,
}

impl Listener {
    fn new(world: &Arc<World>, number: u64, seed: u64, progress: &Arc<Progress>) -> Self {
        Self {
            world: Arc::clone(world),
            random: fastrand::Rng::with_seed(seed),
            number,
            progress: Arc::clone(progress),
            count: 0,
            cursor: None,
            before: VecDeque::new(),
        }
    }

    /// Listens until it is ended: to streams, or by polls.
    async fn run(mut self, streams: bool) {
        loop {
            if let Some(api) = self.world.any_of_this_version(&mut self.random) {
                let since = self.since();
                if streams {
                    self.stream(&api, since).await;
                } else {
                    self.poll(&api, since).await;
                }
            }
            sleep(Duration::from_millis(self.random.u64(20..200))).await;
        }
    }

    /// Where it goes on: mostly where it stands.
    fn since(&mut self) -> Option<String> {
        match self.random.u32(..4) {
            0 if !self.before.is_empty() => Some(self.before[self.random.usize(..self.before.len())].clone()),
            _ => self.cursor.clone(),
        }
    }

    /// Listens to a stream for a while.
    async fn stream(&mut self, api: &Api, since: Option<String>) {
        // With names it is told of elections too.
        let names = self.world.resources.iter().map(|name| format!("resource={name}")).collect::<Vec<_>>().join("&");
        let path = format!("/api/v1/events?{names}{}", and_since(since.as_deref()));
        let Ok(Ok(mut response)) = timeout(PATIENCE, api.open(&path)).await else { return };
        if response.status() != 200 {
            return;
        }
        let until = Instant::now() + Duration::from_millis(self.random.u64(200..1500));
        let mut text = String::new();
        while let Ok(Some(message)) = timeout_at(until, next(&mut response, &mut text)).await {
            if message["type"] == "hello" {
                self.begin(since.clone());
            } else {
                self.take(&message);
            }
        }
    }

    /// Asks what happened, and waits for a while if nothing did.
    async fn poll(&mut self, api: &Api, since: Option<String>) {
        let path = format!("/api/v1/events?prefix=r&wait=0.4&limit=100{}", and_since(since.as_deref()));
        let sent = api.try_send(Method::GET, &path, &[("Accept", "application/json")], None);
        let Ok(Ok(answer)) = timeout(PATIENCE, sent).await else { return };
        if answer.status != 200 {
            return;
        }
        let page = answer.json();
        self.begin(since);
        if let Some(reason) = page["missed"].as_str() {
            self.take(&serde_json::json!({ "type": "missed", "reason": reason }));
        }
        for event in page["events"].as_array().into_iter().flatten() {
            self.take(event);
        }
        self.take(&serde_json::json!({ "type": "bookmark", "cursor": page["cursor"] }));
    }

    fn begin(&mut self, since: Option<String>) {
        let told = since.clone().map_or(Told::Began, |since| Told::Resumed { since });
        self.cursor = since.or(self.cursor.take());
        self.note(told);
        self.progress.has_begun.store(true, Relaxed);
    }

    /// Notes a message, and where it leaves the listener.
    fn take(&mut self, message: &Value) {
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_string();
        let fence = message["fence"].as_u64();
        match message["type"].as_str().unwrap_or_default() {
            "missed" => {
                self.before.clear();
                self.note(Told::Missed { reason: text("reason") });
            }
            "bookmark" => {
                let cursor = text("cursor");
                if self.cursor.as_ref() != Some(&cursor) {
                    self.cursor = Some(cursor.clone());
                    self.note(Told::Position { cursor });
                }
            }
            "leader" => {
                let (resource, term) = (text("resource"), fence.unwrap_or_default());
                self.note(Told::Leads { resource, term });
            }
            "vacant" | "bye" => {}
            kind => {
                let cursor = text("cursor");
                self.cursor = Some(cursor.clone());
                self.before.push_back(cursor.clone());
                if self.before.len() > REMEMBERED {
                    self.before.pop_front();
                }
                let (resource, owner) = (text("resource"), text("owner"));
                if let Some(fence) = fence.filter(|_| kind == "granted" && owner == VISITOR) {
                    let mut visits = self.progress.visits.lock().unwrap_or_else(PoisonError::into_inner);
                    visits.insert(resource.clone(), fence);
                }
                let late = milliseconds(&message["at"]).zip(milliseconds(&message["expiredAt"]));
                self.note(Told::Happened(Happened {
                    kind: kind.into(),
                    cursor,
                    resource,
                    owner,
                    fence,
                    shared: message["mode"] == "shared",
                    late: late.map(|(at, ended)| at - ended),
                }));
            }
        }
    }

    fn note(&mut self, told: Told) {
        let (listener, number, at) = (self.number, self.count, self.world.now());
        self.count += 1;
        self.world.note(Event::Heard(Heard { listener, number, at, told }));
    }
}

fn and_since(since: Option<&str>) -> String {
    since.map_or_else(String::new, |since| format!("&since={since}"))
}

/// The data of the next message of a stream; nothing if the stream has ended.
async fn next(response: &mut Response, text: &mut String) -> Option<Value> {
    loop {
        while let Some((message, rest)) = text.split_once("\n\n") {
            let data = message.lines().find_map(|line| line.strip_prefix("data: ")).map(String::from);
            *text = rest.into();
            if let Some(data) = data {
                return Some(serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}")));
            }
        }
        let chunk = response.chunk().await.ok().flatten()?;
        text.push_str(std::str::from_utf8(&chunk).expect("a replica writes whole messages"));
    }
}

/// A time in milliseconds since 1970.
fn milliseconds(time: &Value) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(time.as_str()?).ok()?.timestamp_millis())
}
