//! Shared locks with `redis.failover_grace`: after Redis may have lost grants, nobody joins a group that came back, and no
//! grant of it becomes another.

use super::*;
use crate::harness::{Replica, name};

const SETTINGS: [(&str, &str); 2] = [("GORILLA__REDIS__FAILOVER_GRACE", "4s"), ("GORILLA__LIMITS__MAX_TIMEOUT", "4s")];

/// A replica with the option, on a server whose data have been the same for long enough.
async fn settled(redis: &Redis) -> Replica {
    let replica = Replica::with(&redis.url(), &SETTINGS).await;
    let granted = || async { replica.api.acquire(&name("settled"), "me", 0.1).await.status == 200 };
    eventually("the grace is over", Duration::from_secs(12), granted).await;
    replica
}

/// Waits until the replica has seen that Redis may have lost data.
async fn recovering(api: &Api) {
    eventually("grants wait", Duration::from_secs(5), || async {
        api.acquire(&name("recovering"), "me", 0.1).await.code() == "recovering"
    })
    .await;
}

#[tokio::test]
async fn nobody_joins_a_group_that_came_back_before_the_grace_is_over_and_then_all_who_wait_do() {
    let mut redis = Redis::start(&[]);
    let replica = settled(&redis).await;
    let (api, resource) = (&replica.api, name("came-back"));
    let lock = ask(api, &resource, "first", Reader, 4.0).await.json();
    redis.stop();
    redis.run();
    recovering(api).await;
    // Redis may have lost that the reader left, and that a writer came.
    let refused = ask(api, &resource, "second", Reader, 4.0).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "recovering"), "{refused:?}");
    let calls = |of: &Redis| {
        let stats = of.cli(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next());
        line.map_or(0, |calls| calls.parse::<u64>().expect("a number"))
    };
    let mut waiters = Vec::new();
    for index in 0..3 {
        let body = Reader.to(json!({ "owner": format!("waiter-{index}"), "timeout": 4, "wait": 20 })).to_string();
        let (api, path) = (Api::at(&api.address), lock_path(&resource));
        waiters.push(tokio::spawn(async move { api.send(Method::POST, &path, &[], Some(body)).await }));
    }
    eventually("they wait", SOON, || async { queue(&redis, &resource).len() == 3 }).await;
    // Who holds the lock may extend it.
    let extended = api.extend(&resource, token(&lock), 4).await;
    assert_eq!(extended.status, 200, "{extended:?}");
    let before = calls(&redis);
    for waiter in waiters {
        granted(waiter).await;
    }
    let asked = calls(&redis) - before;
    assert!(asked < 60, "the waiters asked {asked} times while grants had to wait");
}

#[tokio::test]
async fn nobody_converts_a_grant_before_the_grace_is_over() {
    let mut redis = Redis::start(&[]);
    let replica = settled(&redis).await;
    let api = &replica.api;
    for (from, to) in [(Reader, Alone), (Alone, Reader)] {
        let resource = name("converts");
        let lock = ask(api, &resource, "me", from, 4.0).await.json();
        redis.stop();
        redis.run();
        recovering(api).await;
        let path = format!("{}/{}", lock_path(&resource), token(&lock));
        let body = to.to(json!({ "timeout": 4 })).to_string();
        let refused = api.send(Method::PUT, &path, &[], Some(body.clone())).await;
        // Redis may have lost that another reader joined.
        assert_eq!((refused.status, refused.code().as_str()), (503, "recovering"), "{from:?}: {refused:?}");
        assert_eq!(refused.json()["outcome"], "not_executed");
        eventually("the grace is over", Duration::from_secs(12), || async {
            api.acquire(&name("over"), "me", 0.1).await.status == 200
        })
        .await;
        // The lease has ended meanwhile, unless it was extended.
        let lock = ask(api, &resource, "me", from, 4.0).await.json();
        let path = format!("{}/{}", lock_path(&resource), token(&lock));
        assert_eq!(api.send(Method::PUT, &path, &[], Some(body)).await.status, 200);
    }
}
