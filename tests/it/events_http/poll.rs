//! The long poll.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::poll;
use crate::harness::{Replica, name, token};

fn cursor(answer: &Value) -> &str {
    answer["cursor"].as_str().expect("a cursor")
}

fn types(answer: &Value) -> Vec<&str> {
    let events = answer["events"].as_array().expect("events");
    events.iter().map(|event| event["type"].as_str().expect("a type")).collect()
}

#[tokio::test]
async fn polls_tell_each_event_once_and_in_order() {
    let (api, resource) = (Replica::shared().await, name("polled"));
    let first = poll(&api, &format!("?resource={resource}")).await;
    assert_eq!((&first["events"], &first["missed"]), (&json!([]), &Value::Null));
    let lock = api.granted(&resource, "me", 30).await;
    let second = poll(&api, &format!("?resource={resource}&wait=20&since={}", cursor(&first))).await;
    assert_eq!(types(&second), ["granted"]);
    assert_eq!(second["events"][0]["fence"], lock["fence"]);
    api.release(&resource, token(&lock)).await;
    let next = api.granted(&resource, "me", 30).await;
    api.release(&resource, token(&next)).await;
    let one = poll(&api, &format!("?resource={resource}&limit=1&since={}", cursor(&second))).await;
    assert_eq!(types(&one), ["released"]);
    let rest = poll(&api, &format!("?resource={resource}&since={}", cursor(&one))).await;
    assert_eq!(types(&rest), ["granted", "released"]);
    let none = poll(&api, &format!("?resource={resource}&since={}", cursor(&rest))).await;
    assert_eq!(types(&none), [""; 0]);
}

#[tokio::test]
async fn a_poll_waits_for_the_first_event_and_no_longer_than_it_says() {
    let (api, resource) = (Replica::shared().await, name("waited"));
    let begun = Instant::now();
    let empty = poll(&api, &format!("?resource={resource}&wait=0.5")).await;
    assert!(begun.elapsed() >= Duration::from_millis(500) && types(&empty).is_empty(), "{empty}");
    let waiting = {
        let (api, query) = (api.apart(), format!("?resource={resource}&wait=30&since={}", cursor(&empty)));
        tokio::spawn(async move { poll(&api, &query).await })
    };
    let lock = api.granted(&resource, "me", 30).await;
    let answer = waiting.await.expect("an answer");
    assert_eq!(answer["events"][0]["fence"], lock["fence"]);
}

#[tokio::test]
async fn a_poll_with_an_unknown_cursor_says_that_events_are_missing() {
    let (api, resource) = (Replica::shared().await, name("lost"));
    for since in ["nonsense", "0123456789ab.1-0.0"] {
        let answer = poll(&api, &format!("?resource={resource}&wait=20&since={since}")).await;
        assert!(answer["missed"].is_string() && types(&answer).is_empty(), "{answer}");
        let next = poll(&api, &format!("?resource={resource}&since={}", cursor(&answer))).await;
        assert_eq!(next["missed"], Value::Null, "{next}");
    }
}
