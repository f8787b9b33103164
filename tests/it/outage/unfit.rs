//! Redis is in a state that an operator must fix: wrong credentials or rights, a setting that endangers locks, a key
//! that somebody changed.

use std::time::Duration;

use super::{RECOVERED, assert_not_executed, assert_not_ready, in_time, recovers};
use crate::harness::{Answer, Redis, Replica, eventually, name};

/// Asserts that a client learns nothing, and that the log has the cause under the request's id.
pub async fn assert_internal(replica: &Replica, answer: &Answer, cause: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal_error"), "{answer:?}");
    assert_eq!(answer.json()["outcome"], "unknown", "{answer:?}");
    assert!(!answer.text.contains(cause), "{answer:?}");
    let id = answer.header("x-request-id").expect("every answer has an id");
    eventually("the cause is logged", Duration::from_secs(1), || async {
        replica.log().lines().any(|line| line.contains(id) && line.contains(cause))
    })
    .await;
}

/// How many scripts Redis has been asked for since it started.
fn scripts(redis: &Redis) -> u64 {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let calls =
        stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next()?.parse().ok());
    calls.unwrap_or_default()
}

#[tokio::test]
async fn a_key_changed_by_hand_is_an_internal_error_that_tells_the_client_nothing() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("by-hand"));
    redis.cli(&["SET", &format!("gorilla:{{{resource}}}:lock"), "x"]);

    let token = uuid::Uuid::new_v4().to_string();
    for answer in [
        api.acquire(&resource, "me", 30).await,
        api.extend(&resource, &token, 30).await,
        api.release(&resource, &token).await,
        api.status(&resource, &token).await,
    ] {
        assert_internal(&replica, &answer, "WRONGTYPE").await;
    }
    assert_eq!(api.acquire(&name("other"), "me", 30).await.status, 200, "others are not harmed");
    assert_eq!(api.get("/_ready").await.status, 200);

    // Undoing the acquire can't succeed either, and the replica must not try it over and over.
    let before = scripts(&redis);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let more = scripts(&redis) - before;
    assert!(more <= 1, "{more} scripts in half a second for a request that was answered");
}

#[tokio::test]
async fn a_user_without_the_right_to_run_scripts_is_an_internal_error_and_not_ready() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    redis.cli(&["ACL", "SETUSER", "default", "-@scripting"]);

    let answer = replica.api.acquire(&name("noperm"), "me", 30).await;
    assert_internal(&replica, &answer, "NOPERM").await;
    assert_not_ready(&replica.api, "NOPERM").await;

    redis.cli(&["ACL", "SETUSER", "default", "+@all"]);
    recovers(&replica.api).await;
}

#[tokio::test]
async fn a_redis_that_wants_a_password_is_not_ready_and_says_why() {
    let redis = Redis::start(&["--requirepass", "secret"]);
    let replica = Replica::unready(&redis.url(), &[]);
    eventually("the reason is known", RECOVERED, || async { replica.api.get("/_ready").await.text.contains("NOAUTH") })
        .await;
    assert_not_ready(&replica.api, "NOAUTH").await;
    assert_not_executed(&in_time(replica.api.acquire(&name("noauth"), "me", 30)).await, "redis_unavailable");

    assert_eq!(redis.cli(&["--no-auth-warning", "-a", "secret", "CONFIG", "SET", "requirepass", ""]), "OK");
    recovers(&replica.api).await;
}

#[tokio::test]
async fn a_wrong_password_is_not_ready_and_is_never_told() {
    let redis = Redis::start(&["--requirepass", "secret"]);
    let replica = Replica::unready(&format!("redis://:wr0ngpass@127.0.0.1:{}", redis.port), &[]);
    eventually("the reason is known", RECOVERED, || async {
        replica.api.get("/_ready").await.text.contains("WRONGPASS")
    })
    .await;
    assert_not_ready(&replica.api, "user name or password").await;
    assert!(!replica.log().contains("wr0ngpass"), "{}", replica.log());
}

#[tokio::test]
async fn a_password_set_later_is_noticed_when_connections_are_renewed() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    redis.cli(&["CONFIG", "SET", "requirepass", "secret"]);
    // A replica listens on the connection that it sends commands over.
    redis.cli(&["--no-auth-warning", "-a", "secret", "CLIENT", "KILL", "TYPE", "PUBSUB"]);
    eventually("the reason is known", RECOVERED, || async { replica.api.get("/_ready").await.text.contains("NOAUTH") })
        .await;
    assert_eq!(redis.cli(&["--no-auth-warning", "-a", "secret", "CONFIG", "SET", "requirepass", ""]), "OK");
    recovers(&replica.api).await;
}

#[tokio::test]
async fn a_redis_that_may_evict_locks_is_not_ready_until_it_may_not() {
    let redis = Redis::start(&["--maxmemory-policy", "allkeys-lru"]);
    let replica = Replica::unready(&redis.url(), &[]);
    let advice = "CONFIG SET maxmemory-policy noeviction";
    eventually("the reason is known", RECOVERED, || async { replica.api.get("/_ready").await.text.contains(advice) })
        .await;
    assert_not_ready(&replica.api, "allkeys-lru").await;
    assert_not_executed(&in_time(replica.api.acquire(&name("evict"), "me", 30)).await, "redis_unavailable");

    assert_eq!(redis.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]), "OK");
    recovers(&replica.api).await;

    // Also where somebody sets it while the replica is connected.
    assert_eq!(redis.cli(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"]), "OK");
    assert_not_ready(&replica.api, advice).await;
    assert_eq!(redis.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]), "OK");
    recovers(&replica.api).await;
}
