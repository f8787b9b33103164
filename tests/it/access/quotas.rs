//! How much an identity may use.

use std::time::Duration;

use serde_json::{Value, json};

use super::guarded;
use crate::harness::{AccessFile, Answer, Api, Key, Method, Redis, Replica, eventually, key_entry, name, token};

/// A role that may do all with all resources, within a quota.
fn file_of(quota: &str, key: &Key) -> AccessFile {
    let verbs = r#"["acquire","wait","extend","release","inspect","list","break","limit"]"#;
    let role = format!("[[role]]\nname = \"all\"\nrules = [{{prefix=\"\", verbs={verbs}}}]\nquota = {{{quota}}}\n");
    AccessFile::new(&(role + &key_entry("shop", "all", key, "")))
}

#[track_caller]
fn over(answer: &Answer, quota: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (429, "quota_exceeded"), "{answer:?}");
    assert_eq!(answer.json()["quota"], quota, "{answer:?}");
    assert!(
        answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|seconds| seconds >= 1))
    );
}

fn waiting(wait: u64) -> Value {
    json!({ "owner": "me", "timeout": 30, "wait": wait })
}

#[tokio::test]
async fn a_key_asks_as_often_as_it_may_and_its_extends_and_releases_are_always_done() {
    let key = Key::new("shop");
    let file = file_of("per_second=1, burst=4", &key);
    let replica = guarded(&file).await;
    let caller = replica.api.with_key(&key);
    let resource = name("rated");
    let lock = caller.granted(&resource, "me", 60).await;
    let mut served = 1;
    let refused = loop {
        let answer = caller.get(&format!("/api/v1/locks/{resource}")).await;
        if answer.status != 200 {
            break answer;
        }
        served += 1;
    };
    // The burst, and what came in the meantime.
    assert!((4..=6).contains(&served), "{served}");
    over(&refused, "per_second");
    assert_eq!(refused.header("ratelimit-policy"), Some("\"per_second\";q=4;w=4"));
    assert_eq!(refused.header("ratelimit"), Some("\"per_second\";r=0;t=1"));
    let items = json!({ "operations": [
        { "op": "acquire", "resource": name("item"), "owner": "me", "timeout": 5 },
        { "op": "acquire", "resource": name("item"), "owner": "me", "timeout": 5 },
        { "op": "acquire", "resource": name("item"), "owner": "me", "timeout": 5 },
    ] });
    let done = caller.batch(&items, &[]).await.json();
    assert!(done["failed"].as_u64().is_some_and(|failed| failed >= 2), "{done}");
    let mut token = token(&lock).to_string();
    for _ in 0..20 {
        let extended = caller.extend(&resource, &token, 60).await;
        assert_eq!(extended.status, 200, "{extended:?}");
        token = extended.json()["token"].as_str().expect("a token").into();
    }
    assert_eq!(caller.release(&resource, &token).await.status, 204);
    // The rate is per second: after a rest the key may ask again.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(caller.get(&format!("/api/v1/locks/{resource}")).await.status, 200);
}

#[tokio::test]
async fn no_lease_and_no_wait_is_longer_than_a_key_may_ask_for() {
    let key = Key::new("shop");
    let file = file_of("max_timeout=\"5s\", max_wait=\"2s\"", &key);
    let replica = guarded(&file).await;
    let caller = replica.api.with_key(&key);
    let resource = name("long");
    let long = caller.acquire(&resource, "me", 6).await;
    assert_eq!((long.status, &long.json()["field"]), (400, &json!("timeout")), "{long:?}");
    let long = caller.acquire_with(&resource, &json!({ "owner": "me", "timeout": 5, "wait": 3 }), &[]).await;
    assert_eq!((long.status, &long.json()["field"]), (400, &json!("wait")), "{long:?}");
    let lock = caller.granted(&resource, "me", 5).await;
    let long = caller.extend(&resource, token(&lock), 6).await;
    assert_eq!((long.status, &long.json()["field"]), (400, &json!("timeout")), "{long:?}");
    assert_eq!(caller.extend(&resource, token(&lock), 5).await.status, 200);
}

#[tokio::test]
async fn only_so_many_requests_of_a_key_wait_at_once() {
    let key = Key::new("shop");
    let file = file_of("max_waiters=2", &key);
    let replica = guarded(&file).await;
    let caller = replica.api.with_key(&key);
    let resource = name("waiters");
    let held = caller.granted(&resource, "holder", 60).await;
    let wait = || {
        let (caller, resource) = (caller.clone(), resource.clone());
        tokio::spawn(async move { caller.acquire_with(&resource, &waiting(20), &[]).await })
    };
    let (first, second) = (wait(), wait());
    eventually("two wait", Duration::from_secs(5), || async { caller.state(&resource).await["waiting"] == 2 }).await;
    over(&wait().await.expect("no panic"), "max_waiters");
    // A request that doesn't wait is no waiter.
    assert_eq!(caller.acquire(&resource, "me", 5).await.status, 409);
    first.abort();
    second.abort();
    eventually("nobody waits", Duration::from_secs(5), || async { caller.state(&resource).await["waiting"] == 0 })
        .await;
    let third = wait();
    eventually("one waits", Duration::from_secs(5), || async { caller.state(&resource).await["waiting"] == 1 }).await;
    assert_eq!(caller.release(&resource, token(&held)).await.status, 204);
    assert_eq!(third.await.expect("no panic").status, 200);
}

/// How many locks of these a key holds.
async fn held(caller: &Api, resources: &[String]) -> usize {
    let mut held = 0;
    for resource in resources {
        held += usize::from(caller.state(resource).await["held"] == true);
    }
    held
}

#[tokio::test]
async fn a_key_never_holds_more_locks_than_it_may_over_three_replicas() {
    let key = Key::new("shop");
    let file = file_of("max_held=5", &key);
    let redis = Redis::start(&[]);
    let path = file.path();
    let settings = [("GORILLA__AUTH__FILE", path.to_str().expect("UTF-8"))];
    let replicas = [
        Replica::with(&redis.url(), &settings).await,
        Replica::with(&redis.url(), &settings).await,
        Replica::with(&redis.url(), &settings).await,
    ];
    let callers: Vec<_> = replicas.iter().map(|replica| replica.api.with_key(&key)).collect();
    let resources: Vec<_> = (0..12).map(|_| name("held")).collect();
    let mut racing = Vec::new();
    for (number, resource) in resources.iter().enumerate() {
        let (caller, resource) = (callers[number % 3].clone(), resource.clone());
        racing.push(tokio::spawn(async move { (resource.clone(), caller.acquire(&resource, "me", 60).await) }));
    }
    let mut locks = Vec::new();
    for race in racing {
        let (resource, answer) = race.await.expect("no panic");
        match answer.status {
            200 => locks.push((resource, token(&answer.json()).to_string())),
            _ => over(&answer, "max_held"),
        }
    }
    assert_eq!(locks.len(), 5);
    assert_eq!(held(&callers[0], &resources).await, 5);
    // A replay is not a grant.
    let (kept, _) = &locks[4];
    // The end of a lock makes room, whatever ends it: a release, a break, the end of a lease.
    let (resource, token_of) = &locks[0];
    assert_eq!(callers[1].release(resource, token_of).await.status, 204);
    let short = name("held");
    // Longer than a slow machine takes to ask for another lock.
    let lapsing = callers[2].acquire(&short, "me", 8).await;
    assert_eq!(lapsing.status, 200, "{lapsing:?}");
    over(&callers[0].acquire(&name("held"), "me", 60).await, "max_held");
    eventually("the lease has ended", Duration::from_secs(60), || async {
        callers[0].acquire(&name("held"), "me", 60).await.status == 200
    })
    .await;
    assert_eq!(callers[1].break_lock(kept, &json!({}), &[]).await.status, 200);
    let shared = json!({ "owner": "me", "timeout": 60, "mode": "shared" });
    let group = name("held");
    assert_eq!(callers[1].acquire_with(&group, &shared, &[]).await.status, 200);
    over(&callers[2].acquire_with(&group, &shared, &[]).await, "max_held");
    // A set takes all or nothing.
    let (resource, token_of) = &locks[1];
    assert_eq!(callers[0].release(resource, token_of).await.status, 204);
    let (one, two) = (name("held"), name("held"));
    let set = json!({ "owner": "me", "timeout": 60, "resources": [{ "resource": one }, { "resource": two }] });
    over(&callers[0].send(Method::POST, "/api/v1/locks", &[], Some(set.to_string())).await, "max_held");
    assert_eq!(held(&callers[0], &[one, two]).await, 0);
    // So there is still room for one.
    assert_eq!(callers[2].acquire(&name("held"), "me", 60).await.status, 200);
    over(&callers[2].acquire(&name("held"), "me", 60).await, "max_held");
}

#[tokio::test]
async fn a_waiter_that_may_hold_no_more_is_refused_and_the_next_is_granted_the_lock() {
    let (key, other) = (Key::new("shop"), Key::new("other"));
    let file = file_of("max_held=1", &key);
    let text = std::fs::read_to_string(file.path()).expect("the file") + &key_entry("other", "all", &other, "");
    file.write(&text);
    let replica = guarded(&file).await;
    let (shop, other) = (replica.api.with_key(&key), replica.api.with_key(&other));
    let (resource, own) = (name("turn"), name("own"));
    let held = other.granted(&resource, "holder", 60).await;
    let wait = |caller: &Api| {
        let (caller, resource) = (caller.clone(), resource.clone());
        tokio::spawn(async move { caller.acquire_with(&resource, &waiting(20), &[]).await })
    };
    let count = async |count: u64| {
        eventually("they wait", Duration::from_secs(5), || async { other.state(&resource).await["waiting"] == count })
            .await;
    };
    let first = wait(&shop);
    count(1).await;
    let lock = shop.granted(&own, "me", 60).await;
    // It may hold no more, so it can't wait either.
    over(&wait(&shop).await.expect("no panic"), "max_held");
    let third = Key::new("third");
    file.write(&(text + &key_entry("third", "all", &third, "")));
    let third = replica.api.with_key(&third);
    eventually("the new key is known", Duration::from_secs(12), || async {
        third.get("/api/v1/locks").await.status == 200
    })
    .await;
    let second = wait(&third);
    count(2).await;
    assert_eq!(other.release(&resource, token(&held)).await.status, 204);
    over(&first.await.expect("no panic"), "max_held");
    let second = second.await.expect("no panic");
    assert_eq!(second.status, 200, "{second:?}");
    assert!(second.json()["waitedMs"].as_u64().is_some_and(|waited| waited < 15_000), "{second:?}");
    // A conversion would be a grant that nobody counts.
    let body = json!({ "timeout": 60, "mode": "shared" }).to_string();
    let path = format!("/api/v1/locks/{own}/{}", token(&lock));
    let converted = shop.send(Method::PUT, &path, &[], Some(body)).await;
    assert_eq!((converted.status, &converted.json()["field"]), (400, &json!("mode")), "{converted:?}");
}
