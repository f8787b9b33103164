//! Replicas of version 0.1, which know no shared locks, beside replicas of this version.

use super::*;
use crate::harness::{Replica, name};

/// A replica of version 0.1 and one of this version.
async fn both(redis: &Redis) -> [Replica; 2] {
    let old = Replica::of(&Replica::program_of_0_1(), &redis.url(), &[]);
    eventually("it is ready", Duration::from_secs(10), || async { old.api.get("/_ready").await.status == 200 }).await;
    [old, Replica::on(redis).await]
}

/// An exclusive waiter at a replica of version 0.1, which does not know the field `mode`.
async fn waits_at_0_1(redis: &Redis, api: &Api, resource: &str, owner: &str) -> JoinHandle<Answer> {
    crate::queue::queued(redis, api, resource, owner, 25.0, None).await
}

#[tokio::test]
async fn a_replica_of_version_0_1_grants_nothing_beside_a_group_and_ends_nobody_of_it() {
    let redis = Redis::shared();
    let [old, new] = both(redis).await;
    let resource = name("beside");
    let [first, second] =
        [held(&new.api, &resource, "first", Of(1, 3)).await, held(&new.api, &resource, "second", Of(1, 3)).await];
    assert_eq!(old.api.acquire(&resource, "writer", 30).await.code(), "lock_held");
    assert_ne!(old.api.release(&resource, token(&first)).await.status, 204);
    assert_ne!(old.api.extend(&resource, token(&first), 60).await.status, 200);
    let breaks = json!({ "reason": "a test", "fence": first["fence"] });
    assert_ne!(old.api.break_lock(&resource, &breaks, &[]).await.status, 200);
    assert_eq!(
        (field(redis, &resource, "used"), new.api.state(&resource).await["holderCount"].clone()),
        ("2".into(), json!(2))
    );
    // A client that asks it for a share is told that it knows none.
    assert_eq!(ask(&old.api, &resource, "third", Of(1, 3), 30.0).await.status, 400);

    let writer = waits_at_0_1(redis, &old.api, &resource, "writer").await;
    let reader = waits(redis, &new.api, &resource, "reader", Of(1, 3)).await;
    for lock in [&first, &second] {
        assert!(!writer.is_finished() && !reader.is_finished());
        released(&new.api, &resource, lock).await;
    }
    let writer = granted(writer).await;
    assert!(writer["fence"].as_u64() > second["fence"].as_u64(), "{writer}");
    assert!(!reader.is_finished());
    released(&old.api, &resource, &writer).await;
    granted(reader).await;
}

#[tokio::test]
async fn a_shared_request_waits_for_an_exclusive_lock_of_version_0_1_and_the_queue_moves_on() {
    let redis = Redis::shared();
    let [old, new] = both(redis).await;
    let resource = name("waits");
    let writer = old.api.granted(&resource, "writer", 30).await;
    assert_eq!(ask(&new.api, &resource, "reader", Reader, 30.0).await.code(), "lock_held");
    let readers = [
        waits(redis, &new.api, &resource, "first", Reader).await,
        waits(redis, &new.api, &resource, "second", Reader).await,
    ];
    let next = waits_at_0_1(redis, &old.api, &resource, "next").await;
    let late = waits(redis, &new.api, &resource, "late", Reader).await;
    released(&old.api, &resource, &writer).await;
    let mut entered = Vec::new();
    for reader in readers {
        entered.push(granted(reader).await);
    }
    assert!(!next.is_finished() && !late.is_finished());
    for lock in &entered {
        released(&new.api, &resource, lock).await;
    }
    let next = granted(next).await;
    released(&old.api, &resource, &next).await;
    granted(late).await;
}

#[tokio::test]
async fn a_group_that_ends_by_itself_lets_a_waiter_of_version_0_1_in() {
    let redis = Redis::shared();
    let [old, new] = both(redis).await;
    let resource = name("lapses");
    for lease in [0.5, 1.0] {
        assert_eq!(ask(&new.api, &resource, "reader", Reader, lease).await.status, 200);
    }
    granted(waits_at_0_1(redis, &old.api, &resource, "writer").await).await;
}

#[tokio::test]
async fn a_reader_behind_a_waiter_of_version_0_1_that_hangs_up_enters_with_the_next_look() {
    let redis = Redis::shared();
    let [old, new] = both(redis).await;
    let resource = name("hangs-up");
    assert_eq!(ask(&new.api, &resource, "first", Reader, 2.0).await.status, 200);
    assert_eq!(ask(&new.api, &resource, "long", Reader, 30.0).await.status, 200);
    let writer = waits_at_0_1(redis, &old.api, &resource, "writer").await;
    let reader = waits(redis, &new.api, &resource, "reader", Reader).await;
    writer.abort();
    // Version 0.1 calls nobody into a group, so the reader looks when the first lease ends.
    granted(reader).await;
}
