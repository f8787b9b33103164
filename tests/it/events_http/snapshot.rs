//! First the states, then what happens.

use serde_json::{Value, json};

use super::{Message, Stream};
use crate::harness::{Replica, name, token};

/// The states up to `synced`.
async fn states(stream: &mut Stream) -> Vec<Value> {
    let mut states = Vec::new();
    loop {
        let Message { event, data, id } = stream.told().await;
        match event.as_str() {
            "state" => states.push(data),
            "synced" => {
                assert_eq!(id.as_deref(), data["cursor"].as_str());
                return states;
            }
            _ => assert!(["leader", "vacant"].contains(&event.as_str()), "{event} {data}"),
        }
    }
}

#[tokio::test]
async fn named_locks_come_first_whether_they_are_held_or_not() {
    let api = Replica::shared().await;
    let (held, free) = (name("snapshot"), name("snapshot"));
    let lock = api.granted(&held, "me", 30).await;
    let mut stream = Stream::listen(&api, &format!("?resource={held}&resource={free}&snapshot=1")).await;
    let states = states(&mut stream).await;
    let facts: Vec<_> = states.iter().map(|state| (&state["resource"], &state["held"], &state["fence"])).collect();
    assert_eq!(facts, [(&json!(held), &json!(true), &lock["fence"]), (&json!(free), &json!(false), &Value::Null)]);
    // The state had the grant.
    api.release(&held, token(&lock)).await;
    loop {
        let message = stream.told().await;
        match message.event.as_str() {
            "released" => break,
            event => assert!(["vacant", "granted"].contains(&event), "{message:?}"),
        }
    }
}

#[tokio::test]
async fn all_held_locks_of_a_prefix_come_first_page_by_page() {
    let api = Replica::shared().await;
    let prefix = name("pages");
    let mut held: Vec<String> = Vec::new();
    for number in 0..300 {
        let resource = format!("{prefix}-{number:03}");
        api.granted(&resource, "me", 60).await;
        held.push(resource);
    }
    let mut stream = Stream::listen(&api, &format!("?prefix={prefix}-&snapshot=1")).await;
    let states = states(&mut stream).await;
    let mut names: Vec<_> = states.iter().map(|state| state["resource"].as_str().expect("a name")).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, held);
    let next = format!("{prefix}-next");
    api.granted(&next, "me", 30).await;
    assert_eq!(stream.until("granted").await.data["resource"], json!(next));
}

#[tokio::test]
async fn what_happens_while_the_states_are_read_is_in_the_states_or_told_after_them() {
    let api = Replica::shared().await;
    let resource = name("meanwhile");
    let mut last = Value::Null;
    for _ in 0..20 {
        let opening = {
            let (api, query) = (api.clone(), format!("?resource={resource}&snapshot=1"));
            tokio::spawn(async move { Stream::listen(&api, &query).await })
        };
        let lock = api.granted(&resource, "me", 30).await;
        last = lock["fence"].clone();
        let mut stream = opening.await.expect("a stream");
        let state = states(&mut stream).await.pop().expect("a state");
        if state["fence"] != last {
            assert_eq!(stream.until("granted").await.data["fence"], last);
        }
        api.release(&resource, token(&lock)).await;
    }
    assert!(last.is_u64());
}
