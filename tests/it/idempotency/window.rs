//! How long a request is remembered.

use std::time::Duration;

use serde_json::json;

use super::{first, gone, key};
use crate::harness::{Redis, Replica, eventually, name, token};

#[tokio::test]
async fn after_the_window_a_key_is_as_good_as_new_and_its_record_is_gone() {
    let redis = Redis::shared();
    let replica = Replica::with(&redis.url(), &[("GORILLA__IDEMPOTENCY__WINDOW", "1s")]).await;
    let (api, resource) = (&replica.api, name("window"));
    let body = json!({ "owner": "me", "timeout": 30 });
    let record = |name: &str| format!("gorilla:{{{resource}}}:request:{name}");
    let lock = first(&api.acquire_with(&resource, &body, &key("acquire")).await);
    let extended = first(&api.extend_with(&resource, token(&lock), 30, &key("extend")).await);
    assert_eq!(api.release_with(&resource, token(&extended), &key("release")).await.status, 204);
    for name in ["acquire", "extend", "release"] {
        let left = redis.cli(&["PTTL", &record(name)]).parse::<i64>().expect("a number");
        assert!(left <= 1000 && left != -1, "{name}: {left}");
    }
    gone(&api.acquire_with(&resource, &body, &key("acquire")).await);

    eventually("the records vanish", Duration::from_secs(5), || async {
        redis.cli(&["KEYS", &format!("gorilla:{{{resource}}}*")]) == format!("gorilla:{{{resource}}}:fence")
    })
    .await;
    let next = first(&api.acquire_with(&resource, &body, &key("acquire")).await);
    assert_ne!(next["token"], lock["token"]);
    assert!(next["fence"].as_u64() > lock["fence"].as_u64());
}

#[tokio::test]
async fn a_replay_does_not_lengthen_the_window() {
    let (api, redis, resource) = (Replica::shared().await, Redis::shared(), name("no-longer"));
    let body = json!({ "owner": "me", "timeout": 30 });
    let record = format!("gorilla:{{{resource}}}:request:k");
    first(&api.acquire_with(&resource, &body, &key("k")).await);
    assert_eq!(redis.cli(&["PEXPIRE", &record, "20000"]), "1");
    super::replay(&api.acquire_with(&resource, &body, &key("k")).await);
    let left = redis.cli(&["PTTL", &record]).parse::<i64>().expect("a number");
    assert!((1..=20_000).contains(&left), "{left}");
}
