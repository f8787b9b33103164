//! Requests that come in one moment go to Redis together, and each is answered as if it had come alone.

use futures_util::future::join_all;
use reqwest::Method;
use uuid::Uuid;

use crate::harness::{Api, Redis, Replica, lock_path, name, token};

const REQUESTS: usize = 300;

/// How many scripts Redis was sent, whether for one request or for many.
fn commands(redis: &Redis) -> u64 {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let calls = |command: &str| -> u64 {
        let line = stats.lines().find_map(|line| line.strip_prefix(command)?.strip_prefix(":calls="));
        line.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0)
    };
    calls("cmdstat_evalsha") + calls("cmdstat_eval")
}

/// A replica whose requests wait for Redis however busy the machine is.
async fn patient(redis: &Redis) -> Replica {
    Replica::with(&redis.url(), &[("GORILLA__REDIS__COMMAND_TIMEOUT", "20s")]).await
}

/// Acquires all of these at once; their statuses in this order.
async fn acquire_all(api: &Api, resources: &[String]) -> Vec<u16> {
    join_all(resources.iter().map(|resource| async { api.acquire(resource, "me", 30).await.status })).await
}

fn names() -> Vec<String> {
    (0..REQUESTS).map(|_| name("batching")).collect()
}

#[tokio::test]
async fn many_requests_at_once_take_fewer_commands_and_all_are_done() {
    let redis = Redis::start(&[]);
    let replica = patient(&redis).await;
    let (api, before) = (&replica.api, commands(&redis));
    let locks = join_all(names().into_iter().map(|resource| async move {
        let lock = api.granted(&resource, "me", 30).await;
        assert_eq!(lock["resource"], resource.as_str());
        (resource, token(&lock).to_string())
    }))
    .await;
    let taken = commands(&redis) - before;
    let released = locks.iter().map(|(resource, token)| async move { api.release(resource, token).await.status });
    assert!(join_all(released).await.into_iter().all(|status| status == 204));
    let in_all = commands(&redis) - before;
    assert!((1..REQUESTS as u64 / 2).contains(&taken), "{taken} commands for {REQUESTS} acquires");
    assert!(in_all - taken < REQUESTS as u64 / 2, "{} commands for {REQUESTS} releases", in_all - taken);
    assert_eq!(redis.cli(&["KEYS", "*:lock"]), "");
}

#[tokio::test]
async fn of_many_acquires_of_one_lock_at_once_one_is_granted() {
    let redis = Redis::start(&[]);
    let replica = patient(&redis).await;
    let resource = name("batching");
    let statuses = acquire_all(&replica.api, &vec![resource; REQUESTS]).await;
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 1);
    assert_eq!(statuses.iter().filter(|&&status| status == 409).count(), REQUESTS - 1);
}

#[tokio::test]
async fn requests_with_an_idempotency_key_and_without_may_come_together() {
    let redis = Redis::start(&[]);
    let replica = patient(&redis).await;
    let api = &replica.api;
    let ends = join_all(names().into_iter().enumerate().map(|(index, resource)| async move {
        let (lock, key) = (api.granted(&resource, "me", 30).await, format!("key-{index}"));
        // Of each three requests the first has no key, the second has one, and the third has one and no right.
        let token = if index % 3 == 2 { Uuid::new_v4().to_string() } else { token(&lock).to_string() };
        let headers = [("Lock-Token", token.as_str()), ("Idempotency-Key", &key)];
        let headers = &headers[..if index % 3 == 0 { 1 } else { 2 }];
        let answer = api.send(Method::DELETE, &lock_path(&resource), headers, None).await;
        (index, answer.status)
    }))
    .await;
    for (index, status) in ends {
        assert_eq!(status, if index % 3 == 2 { 404 } else { 204 }, "request {index}");
    }
    let count = |pattern: &str| redis.cli(&["KEYS", pattern]).lines().filter(|line| !line.is_empty()).count();
    assert_eq!((count("*:lock"), count("*:request:key-*")), (REQUESTS / 3, REQUESTS / 3));
}

#[tokio::test]
async fn what_is_wrong_with_one_request_is_told_to_that_one_alone() {
    let redis = Redis::start(&[]);
    let replica = patient(&redis).await;
    let resources = names();
    for resource in resources.iter().step_by(10) {
        redis.cli(&["SET", &format!("gorilla:{{{resource}}}:lock"), "not a hash"]);
    }
    let statuses = acquire_all(&replica.api, &resources).await;
    for (index, status) in statuses.into_iter().enumerate() {
        assert_eq!(status, if index % 10 == 0 { 500 } else { 200 }, "request {index}");
    }
}

#[tokio::test]
async fn a_redis_that_has_forgotten_the_scripts_is_sent_their_text() {
    let redis = Redis::start(&[]);
    let replica = patient(&redis).await;
    for _ in 0..3 {
        redis.cli(&["SCRIPT", "FLUSH"]);
        assert!(acquire_all(&replica.api, &names()).await.into_iter().all(|status| status == 200));
    }
}

#[tokio::test]
async fn a_redis_without_memory_refuses_all_and_keeps_nothing() {
    let redis = Redis::start(&[]);
    let replica = patient(&redis).await;
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(acquire_all(&replica.api, &names()).await.into_iter().all(|status| status == 503));
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(redis.cli(&["KEYS", "*:lock"]), "");
}

#[tokio::test]
async fn requests_whose_replies_never_come_are_unknown_and_undone_when_redis_is_back() {
    let redis = Redis::start(&[]);
    let replica = patient(&redis).await;
    redis.pause();
    let statuses = acquire_all(&replica.api, &names()).await;
    redis.resume();
    // The requests that came when the replica had given the connection up were not sent.
    assert!(statuses.iter().all(|status| [503, 504].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&504));
    crate::harness::eventually("nobody holds a lock", std::time::Duration::from_secs(10), || async {
        redis.cli(&["KEYS", "*:lock"]).is_empty()
    })
    .await;
}
