//! Resources with every kind of character, and the keys that they have in Redis. Users and their tools read these keys,
//! so they are literals here.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use crate::harness::{Redis, Replica, name, token};

/// How a name ends, and how its key shows that.
const NAMES: [(&str, &str); 30] = [
    ("", ""),
    ("{", "%7B"),
    ("}", "%7D"),
    ("{}", "%7B%7D"),
    ("}{", "%7D%7B"),
    ("%", "%25"),
    ("%7B", "%257B"),
    ("%257B", "%25257B"),
    ("%2F", "%252F"),
    (" ", " "),
    ("  ", "  "),
    (" x ", " x "),
    ("+", "+"),
    (":", ":"),
    (":lock", ":lock"),
    ("}:lock", "%7D:lock"),
    ("}:fence", "%7D:fence"),
    (":{a}:lock", ":%7Ba%7D:lock"),
    ("*", "*"),
    ("?", "?"),
    ("#", "#"),
    ("&=;", "&=;"),
    ("\\", "\\"),
    ("\"'", "\"'"),
    ("..", ".."),
    ("é", "é"),
    ("e\u{301}", "e\u{301}"),
    ("É", "É"),
    ("🦍", "🦍"),
    ("锁", "锁"),
];

#[tokio::test]
async fn no_two_names_share_a_lock_and_each_key_is_this_literal() {
    let (api, redis, base) = (Replica::shared().await, Redis::shared(), name("names"));
    let mut fences = HashSet::new();
    let mut locks = Vec::new();
    // All locks are held at once, so that two names with the same key would meet.
    for (end, encoded) in NAMES {
        let resource = format!("{base}{end}");
        let lock = api.granted(&resource, &format!("owner of {end:?}"), 30).await;
        assert_eq!(lock["resource"], *resource);
        assert!(fences.insert(lock["fence"].as_u64()), "{resource:?} has the fence of another");
        locks.push((resource, encoded, lock));
    }
    for (resource, encoded, lock) in &locks {
        let state = api.state(resource).await;
        assert_eq!((&state["resource"], &state["owner"]), (&json!(resource), &lock["owner"]));
        let key = format!("gorilla:{{{base}{encoded}}}:lock");
        assert_eq!(redis.cli(&["EXISTS", &key]), "1", "{key}");
        assert_eq!(redis.cli(&["HGET", &key, "owner"]), lock["owner"].as_str().unwrap_or_default());
        assert_eq!(redis.cli(&["EXISTS", &format!("gorilla:{{{base}{encoded}}}:fence")]), "1");
    }
    for (resource, _, lock) in &locks {
        assert_eq!(api.release(resource, token(lock)).await.status, 204, "{resource:?}");
    }
}

#[tokio::test]
async fn a_name_may_be_like_a_part_of_a_path() {
    let api = Replica::shared().await;
    let lock = api.granted("break", "me", 30).await;
    assert_eq!(api.status("break", token(&lock)).await.status, 200);
    assert_eq!(api.break_lock("break", &json!({}), &[]).await.json()["id"], lock["id"]);
    let longest = format!("{:x<256}", name("longest"));
    assert_eq!(api.granted(&longest, "me", 30).await["resource"], *longest);
}

#[tokio::test]
async fn redis_cli_tells_all_of_a_lock() {
    let (api, redis, resource) = (Replica::shared().await, Redis::shared(), name("redis-cli"));
    let headers = [("Idempotency-Key", "key-1")];
    let body = json!({ "owner": "me", "timeout": 30, "metadata": [1.5] });
    let lock = api.acquire_with(&resource, &body, &headers).await.json();
    let key = |what: &str| format!("gorilla:{{{resource}}}:{what}");

    let hash = redis.cli(&["HGETALL", &key("lock")]);
    let lines: Vec<_> = hash.lines().collect();
    let hash: HashMap<_, _> = lines.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    assert_eq!(hash.len(), 7, "{hash:?}");
    for field in ["id", "token", "owner"] {
        assert_eq!(lock[field], hash[field]);
    }
    assert_eq!((lock["fence"].to_string().as_str(), "[1.5]"), (hash["fence"], hash["metadata"]));
    assert_eq!(hash["created"], hash["updated"]);

    // Each key with the longest time that it may have left, in milliseconds.
    for (what, whole) in [("lock", 30_000), ("fence", 86_400_000), ("request:key-1", 60_000)] {
        let left = redis.cli(&["PTTL", &key(what)]).parse::<i64>().expect("a number");
        assert!((whole - 20_000..=whole).contains(&left), "{what}: {left}");
    }
    assert_eq!(redis.cli(&["GET", &key("fence")]), lock["fence"].to_string());
    assert_eq!(redis.cli(&["EXISTS", &key("queue")]), "0");
    // Without an Idempotency-Key nothing but lock and fence is kept.
    let plain = name("redis-cli-plain");
    api.granted(&plain, "me", 30).await;
    let mut keys: Vec<_> = redis.cli(&["KEYS", &format!("gorilla:{{{plain}}}*")]).lines().map(String::from).collect();
    keys.sort_unstable();
    assert_eq!(keys, [format!("gorilla:{{{plain}}}:fence"), format!("gorilla:{{{plain}}}:lock")]);
}

#[tokio::test]
async fn an_extend_keeps_the_fence_for_another_day() {
    let (api, redis, resource) = (Replica::shared().await, Redis::shared(), name("fence-kept"));
    let fence_key = format!("gorilla:{{{resource}}}:fence");
    let lock = api.granted(&resource, "me", 30).await;
    assert_eq!(redis.cli(&["EXPIRE", &fence_key, "60"]), "1");
    let lock = api.extend(&resource, token(&lock), 30).await.json();
    let left = redis.cli(&["PTTL", &fence_key]).parse::<i64>().expect("a number");
    assert!((86_380_000..=86_400_000).contains(&left), "{left}");
    assert_eq!(redis.cli(&["GET", &fence_key]), lock["fence"].to_string());
}

#[tokio::test]
async fn the_prefix_of_the_keys_is_a_setting() {
    let redis = Redis::shared();
    let replica = Replica::with(&redis.url(), &[("GORILLA__REDIS__KEY_PREFIX", "team-a.gorilla")]).await;
    let resource = name("prefixed");
    replica.api.granted(&resource, "me", 30).await;
    assert_eq!(redis.cli(&["EXISTS", &format!("team-a.gorilla:{{{resource}}}:lock")]), "1");
    // Replicas with other prefixes share nothing.
    assert_eq!(Replica::shared().await.granted(&resource, "other", 30).await["owner"], "other");
    let listed = replica.api.get(&format!("/api/v1/locks?limit=1000&prefix={resource}")).await.json();
    assert_eq!(listed["locks"][0]["owner"], "me");
}
