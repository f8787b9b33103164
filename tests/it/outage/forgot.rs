//! Redis has lost what it knew: fences rise all the same, and scripts are sent again.

use crate::harness::{Api, Redis, Replica, eventually, name};

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
    assert_eq!(redis.cli(&["DBSIZE"]), "0", "it forgot the lock");
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
async fn scripts_that_redis_forgot_are_sent_again_unnoticed() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("forgotten"));
    for _ in 0..3 {
        assert_eq!(redis.cli(&["SCRIPT", "FLUSH", "SYNC"]), "OK");
        let lock = api.granted(&resource, "me", 30).await;
        assert_eq!(redis.cli(&["SCRIPT", "FLUSH", "SYNC"]), "OK");
        let extended = api.extend(&resource, crate::harness::token(&lock), 60).await;
        assert_eq!(extended.status, 200, "{extended:?}");
        assert_eq!(redis.cli(&["SCRIPT", "FLUSH", "SYNC"]), "OK");
        assert_eq!(api.state(&resource).await["held"], true);
        assert_eq!(redis.cli(&["SCRIPT", "FLUSH", "SYNC"]), "OK");
        assert_eq!(api.get("/_ready").await.status, 200);
        assert_eq!(redis.cli(&["SCRIPT", "FLUSH", "SYNC"]), "OK");
        assert_eq!(api.release(&resource, crate::harness::token(&extended.json())).await.status, 204);
    }
}
