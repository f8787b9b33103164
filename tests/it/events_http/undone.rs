//! `undone`: a grant that Gorilla took back, because its client never learned of it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::Stream;
use crate::{
    harness::{Api, Mode, Proxy, Redis, Replica, eventually, lock_path, name},
    queue::queue,
};

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends an acquire, whose answer nobody reads.
async fn asks(api: &Api, resource: &str, body: &Value) -> TcpStream {
    let (path, body) = (lock_path(resource), body.to_string());
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
    api.sent(&format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await
}

/// Has Redis know the scripts of an acquire and of its cancellation. Otherwise a reply that is lost would say that it
/// doesn't know them.
async fn knows_the_scripts(redis: &Redis, api: &Api, other: &Api) {
    let resource = name("warm-up");
    api.granted(&resource, "holder", 600).await;
    let client = asks(other, &resource, &json!({ "owner": "waiter", "timeout": 600, "wait": 60 })).await;
    eventually("it waits", PATIENCE, || async { queue(redis, &resource) == ["waiter"] }).await;
    drop(client);
    eventually("it waits no more", PATIENCE, || async { queue(redis, &resource).is_empty() }).await;
}

/// Nothing depends on how soon something happens: the link keeps the reply of Redis back for good, the replica waits for
/// it for longer than the test lasts, and only the client ends the request.
#[tokio::test]
async fn a_grant_whose_client_hangs_up_before_it_learns_of_it_is_told_and_then_undone() {
    let redis = Redis::start(&[]);
    let link = Proxy::to(&redis).await;
    let replica = Replica::with(&link.url(), &[("GORILLA__REDIS__COMMAND_TIMEOUT", "10m")]).await;
    let (other, resource) = (Replica::on(&redis).await, name("undone"));
    let mut stream = Stream::listen(&other.api, &format!("?resource={resource}")).await;
    knows_the_scripts(&redis, &replica.api, &other.api).await;

    link.set(Mode::SwallowReplies);
    let client = asks(&replica.api, &resource, &json!({ "owner": "gone", "timeout": 600 })).await;
    let granted = stream.expect("granted").await.data;
    assert_eq!(granted["owner"], "gone", "{granted}");
    drop(client);
    // The cancellation arrives although its reply doesn't.
    let undone = stream.expect("undone").await.data;
    assert_eq!(undone["cause"], "hung_up", "{undone}");
    for same in ["resource", "owner", "fence", "id"] {
        assert_eq!(undone[same], granted[same], "{same}: {undone}");
    }
    for absent in ["token", "heldMs", "by", "reason"] {
        assert!(undone.get(absent).is_none(), "{absent}: {undone}");
    }
    assert_eq!(other.api.state(&resource).await["held"], false);

    // The history tells the same, the newest first; and nothing follows.
    let history = other.api.get(&format!("{}/events", lock_path(&resource))).await.json();
    let kinds: Vec<_> = history["events"].as_array().expect("events").iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["undone", "granted"], "{history}");
    assert_eq!(history["events"][0]["id"], granted["id"], "{history}");
}
