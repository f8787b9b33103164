//! What a set that doesn't wait is answered.

use serde_json::{Value, json};

use super::{all_granted, ask, body, granted, is_held, key, keys, left, release_all, two};
use crate::harness::{Redis, Replica, name, token};

#[tokio::test]
async fn a_set_has_all_its_locks_in_the_order_of_the_request() {
    let (redis, api) = (Redis::shared(), Replica::shared().await);
    let base = name("order");
    let names: Vec<_> = ["c", "a", "é", "b", "a b"].iter().map(|end| format!("{base}-{end}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut asked = body(&names, 30.5, 0.0);
    asked["metadata"] = json!({ "job": 7 });
    let set = all_granted(&ask(&api, &asked, &[]).await);
    let locks = set["locks"].as_array().expect("locks");
    assert_eq!(locks.iter().map(|lock| lock["resource"].as_str().expect("a name")).collect::<Vec<_>>(), names);
    assert_eq!(set["ttlMs"], 30_500);
    assert!(set["waitedMs"].as_u64().is_some_and(|waited| waited < 2000), "{set}");
    for (lock, name) in locks.iter().zip(&names) {
        assert_eq!((&lock["owner"], &lock["timeout"], &lock["ttlMs"]), (&json!("set"), &json!(30.5), &json!(30_500)));
        assert_eq!(lock["metadata"], json!([{ "job": 7 }]));
        assert!((25_000..=30_500).contains(&left(redis, name)), "the commit gave the whole lease");
        let status = api.status(name, token(lock)).await.json();
        for field in ["id", "fence", "createdAt", "updatedAt", "expireAt"] {
            assert_eq!(status[field], lock[field], "{field}");
        }
    }
    // Each lock is one like any other.
    let extended = api.extend(names[0], token(&locks[0]), 60).await.json();
    assert_eq!(extended["id"], locks[0]["id"]);
    assert_eq!(api.release(names[0], token(&extended)).await.status, 204);
    assert_eq!(api.release(names[1], token(&locks[1])).await.status, 204);
    assert!(is_held(redis, names[2]));
}

#[tokio::test]
async fn a_refusal_names_the_resource_and_leaves_no_key() {
    let (redis, api) = (Redis::shared(), Replica::shared().await);
    let base = name("refused");
    let names: Vec<_> = (0..5).map(|number| format!("{base}-{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for taken in 0..5 {
        let held = api.granted(names[taken], "holder", 30).await;
        let refused = ask(&api, &body(&names, 30.0, 0.0), &[]).await;
        assert_eq!((refused.status, refused.code().as_str()), (409, "lock_held"), "{refused:?}");
        let told = refused.json();
        assert_eq!((&told["resource"], &told["owner"]), (&json!(names[taken]), &json!("holder")));
        assert_eq!((&told["outcome"], &told["fence"]), (&json!("not_executed"), &held["fence"]));
        assert_eq!(api.release(names[taken], token(&held)).await.status, 204);
        let left: Vec<_> = names.iter().flat_map(|name| keys(redis, name)).collect();
        assert_eq!(left, Vec::<String>::new());
        // One server decides all parts in one step: no part was ever held.
        let fences = names.iter().filter(|name| redis.cli(&["EXISTS", &key(name, "fence")]) == "1");
        assert_eq!(fences.count(), taken + 1, "only those that the holder has had");
    }
    granted(&api, &names, 30.0, 0.0).await;
}

#[tokio::test]
async fn a_refused_set_with_a_key_holds_nothing_and_may_be_sent_again() {
    let (redis, api) = (Redis::shared(), Replica::shared().await);
    let [a, b] = two("again");
    let (asked, copy) = (body(&[&a, &b], 30.0, 0.0), [("Idempotency-Key", "k")]);
    let held = api.granted(&b, "holder", 30).await;
    let refused = ask(&api, &asked, &copy).await;
    assert_eq!((refused.status, refused.json()["resource"].as_str()), (409, Some(b.as_str())), "{refused:?}");
    assert!(!is_held(redis, &a));
    api.release(&b, token(&held)).await;
    let set = ask(&api, &asked, &copy).await;
    assert_eq!(set.header("idempotent-replay"), None);
    release_all(&api, &all_granted(&set)).await;
}

#[tokio::test]
async fn requests_that_break_a_rule_are_refused_and_named() {
    let api = Replica::shared().await;
    let resource = name("rule");
    let part = json!({ "resource": resource });
    let many: Vec<_> = (0..65).map(|number| json!({ "resource": format!("{resource}-{number}") })).collect();
    let item = |problem: &str| format!("resources has a wrong item at index 1: {problem}");
    for (resources, problem) in [
        (Value::Null, "resources is null; it must be a list of objects such as {\"resource\":\"stock\"}".to_string()),
        (json!("a"), "resources is a string; it must be a list of objects such as {\"resource\":\"stock\"}".into()),
        (json!([]), "resources must be a list of 1 to 64 resources".into()),
        (json!(many), "resources has 65 resources; it must be a list of 1 to 64 resources".into()),
        (json!([part, part]), format!("resources names {resource:?} more than once")),
        (json!([part, "a"]), item("it must be a JSON object, which begins with \"{\"")),
        (json!([part, {}]), item("it has no field \"resource\"")),
        (json!([part, { "resource": 1 }]), item("resource is a number, and must be a string")),
        (
            json!([part, { "resource": "a/b" }]),
            item("resource must not contain \"/\", also not as %2F; use \":\" or \".\" to build a hierarchy"),
        ),
        (
            json!([part, { "resource": "a", "owner": "b" }]),
            item("it has unknown fields: \"owner\"; known are resource, mode, limit, permits"),
        ),
        (
            json!([part, { "resource": "a", "mode": "half" }]),
            item("mode is \"half\"; it must be \"exclusive\" or \"shared\""),
        ),
        (
            json!([part, { "resource": "a", "limit": 2 }]),
            item("limit needs \"mode\": \"shared\", because an exclusive lock has one holder"),
        ),
    ] {
        let refused = ask(&api, &json!({ "owner": "me", "timeout": 30, "resources": resources }), &[]).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "invalid_request"), "{refused:?}");
        assert_eq!(refused.json()["errorMessage"], problem + ".");
        assert_eq!(refused.json()["field"], "resources");
    }
    let refused = ask(&api, &json!({ "owner": "me", "timeout": 30 }), &[]).await;
    assert_eq!(refused.json()["field"], "resources", "{refused:?}");
    let body = json!({ "owner": "me", "timeout": 30, "resources": [part] }).to_string();
    let refused = api.send(reqwest::Method::POST, "/api/v1/locks?wait=5", &[], Some(body)).await;
    assert_eq!((refused.status, refused.json()["field"].as_str()), (400, Some("query")), "{refused:?}");
    assert_eq!(api.state(&resource).await["held"], false);
}

#[tokio::test]
async fn a_set_has_room_for_64_of_the_longest_names() {
    let api = Replica::shared().await;
    let base = name("long");
    let names: Vec<_> = (0..64).map(|number| format!("{base}-{number:02}-{}", "x".repeat(252 - base.len()))).collect();
    assert_eq!(names[0].len(), 256);
    let set = granted(&api, &names.iter().map(String::as_str).collect::<Vec<_>>(), 30.0, 0.0).await;
    assert_eq!(set["locks"].as_array().map(Vec::len), Some(64));
    release_all(&api, &set).await;
    let long = json!({ "owner": "me", "timeout": 30, "resources": "x".repeat(128 * 1024) });
    assert_eq!(ask(&api, &long, &[]).await.code(), "body_too_large");
}
