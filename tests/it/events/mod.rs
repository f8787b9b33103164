//! What happens to locks, as the feed of a replica tells it. The operations are made over HTTP, by real replicas.

mod changes;
mod cluster;
mod ends;
mod gaps;
mod recorded;

use std::{sync::Arc, time::Duration};

use gorilla::{
    events::{Feed, Listener, Recorded, Told},
    metrics::Metrics,
    settings::{Flag, Settings},
    store::Store,
};
use gorilla_domain::event::{Cursor, Missed};
use serde_json::Value;

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A feed of its own, as another replica on this Redis has one.
fn feed(redis_url: &str) -> Arc<Feed> {
    feed_with(redis_url, &[])
}

fn feed_with(redis_url: &str, settings: &[(&'static str, &str)]) -> Arc<Feed> {
    let flag = |(key, value): (&'static str, &str)| Flag { name: "--test", key, value: value.into() };
    let flags: Vec<_> = [("redis.url", redis_url)].into_iter().chain(settings.iter().copied()).map(flag).collect();
    let settings = Settings::load(None, &flags).expect("settings");
    Feed::new(Store::open(&settings, &Metrics::new()))
}

/// Begins to listen, as soon as Redis can be asked.
async fn listen(feed: &Arc<Feed>, since: Option<Cursor>) -> Listener {
    let begun = async {
        loop {
            match feed.listen(since).await {
                Ok(listener) => return listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.expect("somebody can listen")
}

/// The next event of one of these resources. Nothing may be missing before it.
async fn next_of(listener: &mut Listener, resources: &[String]) -> Arc<Recorded> {
    let event = async {
        loop {
            match listener.next().await {
                Told::Event(event) if resources.iter().any(|name| name == event.event.resource.as_str()) => {
                    return event;
                }
                Told::Event(_) | Told::Bookmark(_) => {}
                told => panic!("{told:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, event).await.unwrap_or_else(|_| panic!("no event of {resources:?}"))
}

/// The next event of a resource.
async fn next(listener: &mut Listener, resource: &str) -> Arc<Recorded> {
    next_of(listener, &[resource.into()]).await
}

/// The next events of a resource, up to one of this type, as `type fence-or-place`.
async fn until(listener: &mut Listener, resource: &str, last: &str) -> Vec<Arc<Recorded>> {
    let mut all = Vec::new();
    loop {
        let event = next(listener, resource).await;
        let is_last = event.event.kind().as_str() == last;
        all.push(event);
        if is_last {
            return all;
        }
    }
}

/// Why the next events are missing. Whatever is told before that is passed over.
async fn missed(listener: &mut Listener) -> Missed {
    let missed = async {
        loop {
            if let Told::Missed(why) = listener.next().await {
                return why;
            }
        }
    };
    tokio::time::timeout(PATIENCE, missed).await.expect("something is missing")
}

fn kinds(events: &[Arc<Recorded>]) -> Vec<&'static str> {
    events.iter().map(|event| event.event.kind().as_str()).collect()
}

fn cursors(events: &[Arc<Recorded>]) -> Vec<String> {
    events.iter().map(|event| event.cursor.expect("it was recorded").to_string()).collect()
}

fn json(event: &Arc<Recorded>) -> Value {
    serde_json::from_slice(&event.json).expect("JSON")
}
