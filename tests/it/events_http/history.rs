//! What has happened to a lock.

use serde_json::{Value, json};

use super::Stream;
use crate::harness::{Redis, Replica, name, token};

#[tokio::test]
async fn the_history_is_newest_first_and_goes_on_before_a_cursor() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("past"));
    let nothing = api.get(&format!("/api/v1/locks/{resource}/events")).await.json();
    assert_eq!(
        (&nothing["resource"], &nothing["events"], &nothing["recordedSince"], &nothing["cursor"]),
        (&json!(resource), &json!([]), &Value::Null, &Value::Null)
    );
    let _listener = Stream::listen(api, "").await;
    let mut fences = Vec::new();
    for _ in 0..6 {
        let lock = api.granted(&resource, "me", 30).await;
        api.granted(&name("else"), "me", 30).await;
        api.release(&resource, token(&lock)).await;
        fences.push(lock["fence"].clone());
    }
    let mut past: Vec<Value> = Vec::new();
    let mut query = "?limit=5".to_string();
    loop {
        let page = api.get(&format!("/api/v1/locks/{resource}/events{query}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        let events = page["events"].as_array().expect("events");
        assert!(events.len() <= 5 && page["recordedSince"].is_string(), "{page}");
        past.extend(events.iter().cloned());
        match page["cursor"].as_str() {
            Some(cursor) => query = format!("?limit=5&before={cursor}"),
            None => break,
        }
    }
    let seen: Vec<_> = past.iter().map(|event| (event["type"].as_str(), &event["fence"])).collect();
    let expected: Vec<_> =
        fences.iter().rev().flat_map(|fence| [(Some("released"), fence), (Some("granted"), fence)]).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn wrong_parameters_of_the_history_are_refused() {
    let api = Replica::shared().await;
    for (query, field) in
        [("?limit=0", "limit"), ("?limit=501", "limit"), ("?before=x", "before"), ("?since=1", "query")]
    {
        let answer = api.get(&format!("/api/v1/locks/past/events{query}")).await;
        assert_eq!((answer.status, &answer.json()["field"]), (400, &json!(field)), "{query}: {answer:?}");
    }
}
