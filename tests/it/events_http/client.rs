//! The Rust client's watch, history and waits.

use std::time::Duration;

use gorilla_client::{Client, Error, Told, Watch};

use super::PATIENCE;
use crate::harness::{AccessFile, Api, Key, Redis, Replica, Signal, key_entry, name, role, token};

fn client(api: &Api) -> Client {
    Client::builder(api.url()).patience(Duration::from_secs(20)).build().expect("a client")
}

/// The next event; the connections that break before it are no concern of the caller.
async fn event(watch: &mut Watch) -> gorilla_client::Event {
    loop {
        match tokio::time::timeout(PATIENCE, watch.next()).await.expect("something comes").expect("a watch") {
            Told::Event(event) => return *event,
            Told::Connected { .. } | Told::Synced | Told::State(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_watch_goes_on_after_a_restart_of_its_replica_and_misses_nothing() {
    let redis = Redis::start(&[]);
    let (other, replica) = (Replica::on(&redis).await, Replica::on(&redis).await);
    let resource = name("client-watch");
    let mut watch = client(&replica.api).watch().resource(&resource).start();
    assert!(matches!(watch.next().await, Ok(Told::Connected { resumed: false, .. })));
    let lock = other.api.granted(&resource, "me", 60).await;
    let granted = event(&mut watch).await;
    assert_eq!((granted.kind.as_str(), granted.fence), ("granted", lock["fence"].as_u64()));
    assert_eq!(watch.cursor(), granted.cursor.as_deref());

    let address = replica.api.address.clone();
    drop(replica);
    other.api.release(&resource, token(&lock)).await;
    let next = other.api.granted(&resource, "you", 60).await;
    let _again = Replica::with(&redis.url(), &[("GORILLA__SERVER__LISTEN", &address)]).await;
    let released = event(&mut watch).await;
    assert_eq!((released.kind.as_str(), released.fence), ("released", lock["fence"].as_u64()));
    let granted = event(&mut watch).await;
    assert_eq!((granted.owner.as_deref(), granted.fence), (Some("you"), next["fence"].as_u64()));
}

#[tokio::test]
async fn a_watch_that_is_told_bye_comes_back_and_one_that_is_refused_says_why() {
    let key = Key::new("watcher");
    let rules = |verb: &str| role("watcher", &format!("{{prefix=\"\", verbs=[\"{verb}\"]}}"));
    let text = |verb: &str| rules(verb) + &key_entry("watcher", "watcher", &key, "");
    let file = AccessFile::new(&text("events"));
    let path = file.path();
    let settings = [("GORILLA__AUTH__FILE", path.to_str().expect("UTF-8"))];
    let replica = Replica::with(&Redis::shared().url(), &settings).await;
    let client = Client::builder(replica.api.url()).api_key(&key.text).build().expect("a client");
    let mut watch = client.watch().prefix("nobody").start();
    assert!(matches!(watch.next().await, Ok(Told::Connected { .. })));
    file.write(&text("inspect"));
    replica.process.signal(Signal::HUP);
    match tokio::time::timeout(PATIENCE, watch.next()).await.expect("it ends") {
        Err(Error::Refused { code, .. }) => assert_eq!(code, "insufficient_scope"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_client_polls_looks_back_and_waits() {
    let (api, resource) = (Replica::shared().await, name("client-poll"));
    let client = client(&api);
    let request = client.watch().resource(&resource).types(["granted"]);
    let first = request.poll(Duration::ZERO).await.expect("a poll");
    let lock = api.granted(&resource, "me", 60).await;
    let next = request.clone().since(&first.cursor).poll(Duration::from_secs(20)).await.expect("a poll");
    assert_eq!(next.events.iter().map(|event| event.fence).collect::<Vec<_>>(), [lock["fence"].as_u64()]);
    let history = client.history(&resource, None).await.expect("a history");
    assert!(history.recorded_since.is_some() && history.events.iter().any(|event| event.kind == "granted"));

    let fence = lock["fence"].as_u64().expect("a fence");
    let held = client.until_free(&resource, Duration::from_millis(300)).await.expect("a state");
    assert!(held.held);
    let changed = client.until_changed(&resource, 0, Duration::from_secs(20)).await.expect("a state");
    assert_eq!(changed.tenure.map(|tenure| tenure.fence), Some(fence));
    let waiting = tokio::spawn({
        let (client, resource) = (client.clone(), resource.clone());
        async move { client.until_free(&resource, Duration::from_secs(50)).await }
    });
    api.release(&resource, token(&lock)).await;
    assert!(!waiting.await.expect("a task").expect("a state").held);
}
