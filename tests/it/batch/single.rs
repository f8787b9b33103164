//! An item of a batch is the single call: it does the same and is answered the same.

use reqwest::Method;
use serde_json::{Value, json};

use super::{acquire, counts, held, release, renewal, results};
use crate::harness::{Redis, Replica, lock_path, name, token};

const OTHER: &str = "6f1c8a52-8a6e-4b0e-9c1d-2f4f0b9a7d31";

/// A lock without what differs from one grant to the next.
fn form(lock: &Value) -> Vec<(String, Value)> {
    let new = ["id", "token", "resource", "createdAt", "updatedAt", "expireAt", "fence"];
    let members = lock.as_object().expect("an object").iter();
    members
        .map(|(name, value)| (name.clone(), if new.contains(&name.as_str()) { json!(0) } else { value.clone() }))
        .collect()
}

#[tokio::test]
async fn each_item_is_answered_what_the_single_call_is_answered() {
    let api = Replica::shared().await;
    let [taken, mine, free] = ["taken", "mine", "free"].map(name);
    let lock = api.granted(&taken, "other", 30).await;
    let own = api.granted(&mine, "me", 60).await;
    let items = json!({ "operations": [
        { "op": "acquire", "resource": &name("fresh"), "owner": "me", "timeout": "30.5", "metadata": { "a": 1.50 } },
        acquire(&taken),
        { "op": "extend", "resource": taken, "token": OTHER, "timeout": 60 },
        release(&taken, OTHER),
        release(&taken, "no uuid"),
        release(&free, OTHER),
        { "op": "extend", "resource": mine, "token": token(&own), "timeout": 1 },
        renewal(&mine, token(&own)),
        release(&mine, token(&own)),
    ] });
    let answer = api.batch(&items, &[]).await;
    assert_eq!(counts(&answer), [3, 6, 0], "{answer:?}");
    let results = results(&answer);
    let body = json!({ "owner": "me", "timeout": "30.5", "metadata": { "a": 1.50 } });
    let single = api.acquire_with(&name("fresh"), &body, &[]).await;
    assert_eq!(form(&results[0]["body"]), form(&single.json()));
    assert!(answer.text.contains(r#""metadata":[{"a":1.5}]"#), "{answer:?}");

    let told = |index: usize| (results[index]["status"].as_u64().expect("a status"), results[index]["body"].clone());
    let alone = [
        (1, api.acquire(&taken, "me", 60).await),
        (2, api.extend(&taken, OTHER, 60).await),
        (3, api.release(&taken, OTHER).await),
        (4, api.release(&taken, "no-uuid").await),
        (5, api.release(&free, OTHER).await),
    ];
    for (index, answer) in alone {
        let (status, body) = told(index);
        let mut expected = answer.json();
        // The rest of the lease is told in milliseconds, and in words.
        for member in ["ttlMs", "errorMessage"] {
            if body.get("ttlMs").is_some() {
                expected[member] = body[member].clone();
            }
        }
        assert_eq!((status, &body), (answer.status.into(), &expected), "item {index}");
    }
    assert_eq!(told(6).1["code"], "timeout_shorter");
    assert_eq!((told(7).0, &told(7).1["token"]), (200, &own["token"]));
    assert_eq!(results[8], json!({ "index": 8, "status": 204 }));
    assert!(results.iter().enumerate().all(|(index, result)| result["index"] == index), "{results:?}");
    assert_eq!(api.release(&taken, token(&lock)).await.status, 204);
}

#[tokio::test]
async fn an_item_under_a_key_is_the_request_that_the_single_call_is() {
    let (api, other) = (Replica::shared().await, Replica::start().await);
    let (resource, key) = (name("keyed"), [("Idempotency-Key", "k")]);
    let body = json!({ "owner": "me", "timeout": 60 });
    let items = json!({ "operations": [acquire(&resource), acquire(&name("keyed"))] });
    let first = results(&api.batch(&items, &key).await);
    assert_eq!((&first[0]["status"], first[0].get("replayed")), (&json!(200), None));
    // The single call replays the item, and the item replays the single call.
    let single = other.api.acquire_with(&resource, &body, &key).await;
    assert_eq!((single.status, single.header("idempotent-replay")), (200, Some("true")), "{single:?}");
    let lock = single.json();
    assert_eq!(lock["token"], first[0]["body"]["token"]);
    let again = results(&other.api.batch(&items, &key).await);
    assert_eq!((&again[0]["replayed"], &again[0]["body"]["token"]), (&json!(true), &lock["token"]));

    let key = [("Idempotency-Key", "extend")];
    let path = format!("{}/{}", lock_path(&resource), token(&lock));
    for extend in [json!({ "timeout": 90 }), json!({ "timeout": 90, "rotate": false, "metadata": [1] })] {
        let single = api.send(Method::PUT, &path, &key, Some(extend.to_string())).await;
        if single.status == 422 {
            continue;
        }
        assert_eq!(single.status, 200, "{single:?}");
        let mut item = json!({ "op": "extend", "resource": resource, "token": token(&lock) });
        item.as_object_mut().expect("an object").extend(extend.as_object().expect("an object").clone());
        let replay = results(&api.batch(&json!({ "operations": [item] }), &key).await);
        assert_eq!((&replay[0]["replayed"], &replay[0]["body"]["token"]), (&json!(true), &single.json()["token"]));
    }
    let current = api.send(Method::PUT, &path, &key, Some(json!({ "timeout": 90 }).to_string())).await.json();
    let key = [("Idempotency-Key", "release")];
    assert_eq!(api.release_with(&resource, token(&current), &key).await.status, 204);
    let items = json!({ "operations": [release(&resource, token(&current))] });
    assert_eq!(results(&api.batch(&items, &key).await), [json!({ "index": 0, "status": 204, "replayed": true })]);
}

#[tokio::test]
async fn errors_of_items_have_the_form_that_the_client_wants() {
    let api = Replica::shared().await;
    let items = json!({ "operations": [release(&name("problem"), OTHER)] });
    let answer = api.batch(&items, &[("Accept", "application/problem+json")]).await;
    let body = &results(&answer)[0]["body"];
    assert_eq!((&body["type"], &body["status"]), (&json!("urn:gorilla:problem:lock_not_found"), &json!(404)));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_thousand_renewals_go_in_few_commands_and_brief_tells_only_what_failed() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let locks = held(&replica.api, 1000).await;
    let mut items: Vec<_> = locks.iter().map(|(resource, token)| renewal(resource, token)).collect();
    items[17] = renewal(&locks[17].0, OTHER);
    items[999] = renewal(&name("free"), OTHER);
    let commands = || {
        let stats = redis.cli(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next());
        line.and_then(|calls| calls.parse::<u64>().ok()).unwrap_or_default()
    };
    let before = commands();
    let answer = replica.api.batch(&json!({ "operations": items, "brief": true }), &[]).await;
    let taken = commands() - before;
    assert!((16..=100).contains(&taken), "{taken} commands for 1000 extends");
    assert_eq!(counts(&answer), [998, 2, 0]);
    let failed: Vec<_> =
        results(&answer).iter().map(|result| (result["index"].clone(), result["body"]["code"].clone())).collect();
    assert_eq!(failed, [(json!(17), json!("token_mismatch")), (json!(999), json!("lock_not_found"))]);
    for (index, (resource, token)) in locks.iter().enumerate().step_by(200) {
        let status = replica.api.status(resource, token).await.json();
        assert!(status["updatedAt"].as_str() > status["createdAt"].as_str(), "item {index}: {status}");
    }
}

#[tokio::test]
async fn renewals_of_a_brief_batch_end_as_each_would_alone_whatever_else_the_batch_has() {
    let api = Replica::shared().await;
    let locks = held(&api, 8).await;
    let shared = name("batch");
    let body = json!({ "owner": "me", "timeout": 60, "mode": "shared", "limit": 2 });
    let part = api.acquire_with(&shared, &body, &[]).await.json();
    let fence = api.state(&locks[2].0).await["fence"].clone();
    let answer = api.break_lock(&locks[2].0, &json!({ "fence": fence, "grace": 60 }), &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let of = |at: usize, timeout: u64, more: Value| {
        let mut item = renewal(&locks[at].0, &locks[at].1);
        item["timeout"] = json!(timeout);
        item.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        item
    };
    let none = json!({});
    let items = [
        of(0, 3600, none.clone()),
        of(1, 7200, none.clone()),
        of(2, 7200, none.clone()),
        of(3, 1, none.clone()),
        of(4, 3600, json!({ "metadata": ["new"] })),
        renewal(&shared, token(&part)),
        // One after the other: the second would be shorter than the first.
        of(5, 3600, none.clone()),
        of(5, 1, none.clone()),
        release(&locks[6].0, &locks[6].1),
        renewal(&locks[7].0, "no uuid"),
    ];
    let answer = api.batch(&json!({ "operations": items, "brief": true }), &[]).await;
    assert_eq!(counts(&answer), [6, 4, 0], "{answer:?}");
    let failed: Vec<_> = results(&answer).iter().map(|it| (it["index"].clone(), it["body"]["code"].clone())).collect();
    let expected = [(2, "lock_breaking"), (3, "timeout_shorter"), (7, "timeout_shorter"), (9, "token_mismatch")];
    assert_eq!(failed, expected.map(|(index, code)| (json!(index), json!(code))));
    for (at, timeout) in [(0, 3_600_000), (1, 7_200_000), (4, 3_600_000), (5, 3_600_000)] {
        let state = api.state(&locks[at].0).await;
        let left = state["ttlMs"].as_u64().expect("a time");
        // They had 60 s.
        assert!((60_001..=timeout).contains(&left) && state["renewals"] == 1, "item of lock {at}: {state}");
    }
    assert_eq!(api.state(&locks[4].0).await["metadata"], json!(["new"]));
    assert_eq!(api.state(&locks[6].0).await["held"], false);
}
