//! The stream: its head, its messages, its filters.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Stream;
use crate::harness::{Method, Redis, Replica, eventually, name, token};

/// What is not a time, a number or an id.
fn kept(event: &Value) -> Value {
    let mut event = event.clone();
    for member in
        ["cursor", "at", "fence", "id", "expireAt", "expiredAt", "heldMs", "waitedMs", "place", "previousFence"]
    {
        if let Some(value) = event.get_mut(member) {
            assert!(!value.is_null(), "{member}");
            *value = "…".into();
        }
    }
    event
}

#[tokio::test]
async fn a_stream_tells_what_happens_to_a_lock_in_the_words_of_the_reference() {
    let (api, resource) = (Replica::shared().await, name("told"));
    let mut stream = Stream::open(&api, &format!("?resource={resource}")).await;
    let header = |name: &str| stream.headers.get(name).and_then(|value| value.to_str().ok()).map(String::from);
    assert_eq!(header("content-type").as_deref(), Some("text/event-stream"));
    assert_eq!(header("cache-control").as_deref(), Some("no-store, no-transform"));
    assert_eq!(header("x-accel-buffering").as_deref(), Some("no"));
    assert_eq!(header("content-encoding"), None);
    let hello = stream.expect("hello").await;
    assert_eq!((&hello.data["resumed"], hello.id), (&json!(false), None));
    for member in ["replica", "now", "recordedSince"] {
        assert!(hello.data[member].is_string(), "{member}: {}", hello.data);
    }

    let body = json!({ "owner": "ci/4711", "timeout": 30, "metadata": { "job": "nightly" } });
    let lock = api.acquire_with(&resource, &body, &[]).await.json();
    let granted = stream.expect("granted").await;
    assert_eq!(granted.id.as_deref(), granted.data["cursor"].as_str());
    for member in ["fence", "id", "expireAt"] {
        assert_eq!(granted.data[member], lock[member], "{member}");
    }
    assert_eq!(granted.data["at"], lock["createdAt"]);
    assert_eq!(
        kept(&granted.data),
        json!({
            "type": "granted", "cursor": "…", "resource": resource, "owner": "ci/4711", "fence": "…", "id": "…", "at": "…",
            "expireAt": "…", "metadata": [{ "job": "nightly" }],
        })
    );
    let extended = api.extend(&resource, token(&lock), 60).await.json();
    let told = stream.expect("extended").await.data;
    assert_eq!((&told["expireAt"], &told["fence"]), (&extended["expireAt"], &lock["fence"]));
    assert!(!told.to_string().contains(token(&lock)) && !told.to_string().contains(token(&extended)), "{told}");
    assert_eq!(api.release(&resource, token(&extended)).await.status, 204);
    let released = stream.expect("released").await.data;
    assert!(released["heldMs"].is_u64(), "{released}");

    let next = api.granted(&resource, "job", 30).await;
    assert_eq!(stream.expect("granted").await.data["fence"], next["fence"]);
    let reason = json!({ "fence": next["fence"], "reason": "gone" });
    assert_eq!(api.break_lock(&resource, &reason, &[]).await.status, 200);
    let broken = stream.expect("broken").await.data;
    assert_eq!((&broken["reason"], &broken["by"], &broken["fence"]), (&json!("gone"), &Value::Null, &next["fence"]));

    api.granted(&resource, "gone", 0.2).await;
    let granted = stream.expect("granted").await;
    let expired = stream.expect("expired").await;
    assert_eq!(expired.data["expiredAt"], granted.data["expireAt"]);
    assert_eq!(expired.data["fence"], granted.data["fence"]);
}

#[tokio::test]
async fn a_secret_of_the_request_in_the_reason_of_a_break_is_told_to_nobody() {
    let (api, resource) = (Replica::shared().await, name("secret-reason"));
    let mut stream = Stream::listen(&api, &format!("?resource={resource}")).await;
    let lock = api.granted(&resource, "job", 30).await;
    stream.expect("granted").await;
    let once = format!("key-of-{resource}");
    let reason = json!({ "fence": lock["fence"], "reason": format!("by {once}!") });
    assert_eq!(api.break_lock(&resource, &reason, &[("Idempotency-Key", &once)]).await.status, 200);
    assert_eq!(stream.expect("broken").await.data["reason"], "by ***!");
}

#[tokio::test]
async fn who_waits_and_who_gives_up_is_told() {
    let (api, resource) = (Replica::shared().await, name("queued"));
    let mut stream = Stream::listen(&api, &format!("?resource={resource}")).await;
    let lock = api.granted(&resource, "holder", 30).await;
    stream.expect("granted").await;
    let waits = |owner: &'static str, wait: f64| {
        let (api, resource) = (api.apart(), resource.clone());
        tokio::spawn(async move {
            api.acquire_with(&resource, &json!({ "owner": owner, "timeout": 30, "wait": wait }), &[]).await
        })
    };
    let impatient = waits("impatient", 0.3);
    let queued = stream.expect("queued").await.data;
    assert_eq!(
        (&queued["owner"], &queued["position"], &queued["waiting"], &queued["holderFence"]),
        (&json!("impatient"), &json!(1), &json!(1), &lock["fence"])
    );
    assert!(queued.get("fence").is_none() && queued.get("id").is_none(), "{queued}");
    let left = stream.expect("left").await.data;
    assert_eq!((&left["cause"], &left["place"]), (&json!("timeout"), &queued["place"]));
    assert_eq!(impatient.await.expect("an answer").status, 409);
    let patient = waits("patient", 20.0);
    stream.expect("queued").await;
    assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
    assert_eq!(stream.expect("released").await.data["fence"], lock["fence"]);
    let granted = stream.expect("granted").await.data;
    assert!(granted["waitedMs"].is_u64(), "{granted}");
    assert_eq!(granted["previousFence"], lock["fence"]);
    assert_eq!(patient.await.expect("an answer").json()["fence"], granted["fence"]);
}

#[tokio::test]
async fn each_filter_leaves_out_what_does_not_pass() {
    let api = Replica::shared().await;
    let [mine, named, other] = ["filter-mine", "filter-named,", "filter-other"].map(name);
    let prefix = &mine[..11];
    let encoded = named.replace(',', "%2C");
    let mut by_prefix = Stream::listen(&api, &format!("?prefix={prefix}")).await;
    let mut by_name = Stream::listen(&api, &format!("?resource={encoded}&resource={mine}")).await;
    let mut by_owner = Stream::listen(&api, "?prefix=filter-&owner=b%2Fc").await;
    let mut by_types = Stream::listen(&api, "?prefix=filter-&types=released,broken").await;
    for (resource, owner) in [(&other, "a"), (&named, "a"), (&mine, "b/c")] {
        let lock = api.granted(resource, owner, 30).await;
        assert_eq!(api.release(resource, token(&lock)).await.status, 204);
    }
    let names = |wanted: &[&String]| wanted.iter().map(|name| json!(name)).collect::<Vec<_>>();
    for (stream, expected) in [
        (&mut by_prefix, names(&[&mine, &mine])),
        (&mut by_name, names(&[&named, &named, &mine, &mine])),
        (&mut by_owner, names(&[&mine, &mine])),
        (&mut by_types, names(&[&other, &named, &mine])),
    ] {
        for resource in expected {
            let message = stream.told().await;
            assert_eq!(message.data["resource"], resource, "{message:?}");
        }
    }
}

#[tokio::test]
async fn a_bookmark_comes_while_nothing_concerns_the_listener_and_the_connection_stays_open() {
    // Shorter than the time between two bookmarks.
    let settings = [("GORILLA__SERVER__HEADER_TIMEOUT", "2s")];
    let replica = Replica::with(&Redis::shared().url(), &settings).await;
    let mut stream = Stream::listen(&replica.api, "?prefix=nobody-has-such-a-lock").await;
    let begun = Instant::now();
    let first = stream.next().await.expect("a bookmark");
    let slack = Duration::from_secs(5);
    assert!(begun.elapsed() < Duration::from_secs(15) + slack, "{:?}", begun.elapsed());
    let second = stream.next().await.expect("another bookmark");
    assert_eq!((first.event.as_str(), second.event.as_str()), ("bookmark", "bookmark"));
    assert_eq!(first.id.as_deref(), first.data["cursor"].as_str());
}

#[tokio::test]
async fn a_stream_is_logged_when_it_ends_with_how_long_it_lasted() {
    let replica = Replica::start().await;
    let line = |log: String| log.lines().find(|line| line.contains("\"/api/v1/events\"")).map(String::from);
    let mut stream = Stream::open_with(&replica.api, "?resource=logged", &[("X-Request-Id", "of-the-stream")]).await;
    stream.expect("hello").await;
    let begun = Instant::now();
    let lock = replica.api.granted("logged", "me", 30).await;
    stream.until("granted").await;
    assert_eq!(line(replica.log()), None, "it goes on");
    let lasted = begun.elapsed();
    drop(stream);
    eventually("the line", Duration::from_secs(10), || async { line(replica.log()).is_some() }).await;
    let line: Value = serde_json::from_str(&line(replica.log()).expect("a line")).expect("JSON");
    let text = line.to_string();
    assert!(text.contains("of-the-stream") && text.contains("\"ok\""), "{line}");
    let took = line["duration_us"].as_u64().or_else(|| line["fields"]["duration_us"].as_u64()).expect("a duration");
    assert!(took as u128 >= lasted.as_micros(), "{line}");
    replica.api.release("logged", token(&lock)).await;
}

#[tokio::test]
async fn head_answers_the_head_and_ends() {
    let api = Replica::shared().await;
    let answer = api.send(Method::HEAD, "/api/v1/events", &[], None).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
}
