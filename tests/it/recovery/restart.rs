//! One Redis that restarts, with its data or without, or is flushed.

use std::time::Instant;

use serde_json::json;

use super::{BUSY, GRACE, SETTINGS, assert_recovering, begun, over, replica, settled};
use crate::harness::{Redis, Replica, eventually, name, token};

#[tokio::test]
async fn a_redis_that_was_never_seen_grants_after_one_grace_and_says_so_meanwhile() {
    let redis = Redis::start(&[]);
    let before = Instant::now();
    let replica = replica(&redis.url()).await;
    let ready = Instant::now();
    let (api, resource) = (&replica.api, name("new"));
    let answer = api.acquire(&resource, "me", 1).await;
    assert_recovering(&answer);
    assert!(answer.json()["errorMessage"].to_string().contains("may have lost who holds"), "{answer:?}");
    assert_eq!(api.state(&resource).await["held"], false);
    assert_eq!(api.get("/_ready").await.status, 200);
    assert!(over(api, before).await >= GRACE);
    assert!(ready.elapsed() < GRACE + BUSY, "the time began with the connection");
    let said = replica.log().lines().filter(|line| line.contains("of a new incarnation")).count();
    assert_eq!(said, 1, "{}", replica.log());

    redis.cli(&["FLUSHALL"]);
    let flushed = Instant::now();
    assert_recovering(&api.acquire(&resource, "me", 1).await);
    assert!(over(api, flushed).await >= GRACE);
}

#[tokio::test]
async fn a_lock_that_a_restart_lost_is_granted_when_its_lease_has_ended_and_two_replicas_agree() {
    let mut redis = Redis::start(&["--appendonly", "no"]);
    let [one, other] = settled(&redis).await;
    let resource = name("lost");
    let held = one.api.granted(&resource, "holder", 4).await;
    let ends = Instant::now() + GRACE;
    redis.stop();
    redis.run();
    begun(&[&one, &other]).await;
    assert_eq!(one.api.state(&resource).await["held"], false, "it was lost");
    let again = loop {
        for replica in [&one, &other] {
            let answer = replica.api.acquire(&resource, "next", 1).await;
            if answer.status == 200 {
                assert!(Instant::now() >= ends, "granted while another may believe in its lease");
                assert!(answer.json()["fence"].as_u64() > held["fence"].as_u64());
            } else if answer.code() == "lock_held" {
                assert!(Instant::now() >= ends);
            } else {
                assert_recovering(&answer);
            }
        }
        if one.api.state(&resource).await["held"] == true {
            break Instant::now();
        }
    };
    assert!(again < ends + GRACE + BUSY);
}

#[tokio::test]
async fn locks_that_survived_a_restart_are_extended_released_and_broken_meanwhile_and_copies_of_acquires_wait() {
    let mut redis = Redis::start(&[]);
    let [one, other] = settled(&redis).await;
    let [kept, broken, keyed] = [name("kept"), name("broken"), name("keyed")];
    let mut lock = one.api.granted(&kept, "holder", 4).await;
    one.api.granted(&broken, "holder", 4).await;
    let key = [("Idempotency-Key", "k")];
    let body = json!({ "owner": "holder", "timeout": 4 });
    let first = one.api.acquire_with(&keyed, &body, &key).await.json();
    assert_eq!(other.api.acquire_with(&keyed, &body, &key).await.json()["token"], first["token"]);
    redis.stop();
    redis.run();
    begun(&[&one, &other]).await;
    for _ in 0..3 {
        let answer = other.api.extend(&kept, token(&lock), 4).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        lock = answer.json();
    }
    assert_eq!(one.api.acquire(&kept, "me", 1).await.code(), "lock_held");
    assert_eq!(one.api.status(&kept, token(&lock)).await.status, 200);
    let copy = other.api.acquire_with(&keyed, &body, &key).await;
    // The first request was granted the lock, so the answer doesn't say that nothing was done.
    assert_eq!((copy.status, copy.code().as_str()), (503, "recovering"), "{copy:?}");
    assert_eq!(copy.json()["outcome"], "unknown", "{copy:?}");
    assert!(copy.header("Retry-After").is_some() && copy.json()["recoveringMs"].as_u64() > Some(0), "{copy:?}");
    assert_eq!(one.api.release(&kept, token(&lock)).await.status, 204);
    assert_eq!(other.api.break_lock(&broken, &json!({}), &[]).await.status, 200);
    for resource in [&kept, &broken] {
        assert_recovering(&one.api.acquire(resource, "me", 1).await);
    }
}

#[tokio::test]
async fn without_the_option_the_lock_is_granted_twice() {
    let mut redis = Redis::start(&["--appendonly", "no"]);
    let replica = Replica::on(&redis).await;
    let resource = name("twice");
    let sent = Instant::now();
    replica.api.granted(&resource, "holder", 30).await;
    redis.stop();
    redis.run();
    eventually("it is granted again", BUSY, || async {
        replica.api.acquire(&resource, "next", 30).await.status == 200
    })
    .await;
    // This is what the option is for.
    assert!(sent.elapsed().as_secs() < 30, "the first lease has not ended");
}

#[tokio::test]
async fn a_user_who_may_not_read_info_in_scripts_is_unfit_and_it_is_said_why() {
    let redis = Redis::start(&[]);
    redis.cli(&["ACL", "SETUSER", "gorilla", "on", ">secret", "~gorilla:*", "&gorilla:wake:*", "+@all", "-info"]);
    let replica = Replica::unready(&format!("redis://gorilla:secret@127.0.0.1:{}", redis.port), &SETTINGS);
    eventually("the reason is known", BUSY, || async {
        replica.api.get("/_ready").await.text.contains("redis.failover_grace needs a user with the right +info")
    })
    .await;
    assert_eq!(replica.api.acquire(&name("unfit"), "me", 1).await.code(), "redis_unavailable");
    redis.cli(&["ACL", "SETUSER", "gorilla", "+info"]);
    assert!(over(&replica.api, Instant::now()).await >= GRACE / 2);
}
