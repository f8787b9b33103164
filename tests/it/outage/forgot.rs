//! Redis has lost what it knew: fences rise all the same.

use crate::{
    harness::{Api, Redis, Replica, eventually, name, token},
    queue::{granted, queue, queued},
};

async fn fence(api: &Api, resource: &str) -> u64 {
    api.granted(resource, "me", 60).await["fence"].as_u64().expect("a fence is a whole number")
}

#[tokio::test]
async fn the_fence_goes_on_rising_after_redis_came_back_empty() {
    let mut redis = Redis::start(&["--appendonly", "no"]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("empty"));
    let before = fence(api, &resource).await;

    redis.stop();
    redis.run();
    assert_eq!(redis.cli(&["KEYS", "gorilla:{*"]), "", "it forgot the lock");
    eventually("the replica is back", super::RECOVERED, || async { api.get("/_ready").await.status == 200 }).await;
    let after = fence(api, &resource).await;
    assert!(after > before, "{after} follows {before}");
}

#[tokio::test]
async fn the_fence_goes_on_rising_after_flushall() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let resource = name("flushed");
    let mut last = 0;
    for _ in 0..20 {
        let next = fence(&replica.api, &resource).await;
        assert!(next > last, "{next} follows {last}");
        assert_eq!(redis.cli(&["FLUSHALL"]), "OK");
        last = next;
    }
}

#[tokio::test]
async fn after_flushall_a_waiter_is_answered_when_its_time_is_over_at_the_latest() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("flushed"));
    let held = api.granted(&resource, "holder", 60).await;
    let first = queued(&redis, api, &resource, "first", 3.0, None).await;
    let second = queued(&redis, api, &resource, "second", 3.0, None).await;
    assert_eq!(redis.cli(&["FLUSHALL"]), "OK");

    // Redis tells nobody that it forgot, and nothing asks it for a lock that was to be held for a minute. The next
    // client takes the lock; the client that held it learns that with its next request.
    let lock = api.granted(&resource, "newcomer", 60).await;
    assert_eq!(api.extend(&resource, token(&held), 60).await.code(), "token_mismatch");
    assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
    let lock = granted(first).await;
    assert!(lock["fence"].as_u64() > held["fence"].as_u64());
    let answer = second.await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (409, "wait_timeout"), "{answer:?}");
    assert_eq!(queue(&redis, &resource), Vec::<String>::new());
}
