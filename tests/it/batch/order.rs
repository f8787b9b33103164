//! Items of one resource are done in their order.

use serde_json::{Value, json};

use super::{acquire, counts, held, release, renewal, results};
use crate::harness::{Replica, name};

#[tokio::test]
async fn items_of_one_resource_are_done_in_their_order_among_many_others() {
    let api = Replica::shared().await;
    let locks = held(&api, 100).await;
    let mut items: Vec<Value> = Vec::new();
    for (resource, token) in &locks {
        items.extend([renewal(resource, token), release(resource, token), acquire(resource), acquire(resource)]);
    }
    // Each resource has its items far apart.
    let count = locks.len();
    let items: Vec<_> = (0..4)
        .flat_map(|step| (0..count).map(move |lock| (lock, step)))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(lock, step)| items[4 * lock + step].clone())
        .collect();
    let answer = api.batch(&json!({ "operations": items }), &[]).await;
    assert_eq!(counts(&answer), [3 * count as u64, count as u64, 0]);
    for (index, result) in results(&answer).into_iter().enumerate() {
        let expected = [200, 204, 200, 409][index / count];
        assert_eq!((&result["index"], &result["status"]), (&json!(index), &json!(expected)), "{result}");
    }
}

#[tokio::test]
async fn a_batch_is_never_refused_for_its_own_length() {
    let redis = crate::harness::Redis::shared();
    let replica = Replica::with(&redis.url(), &[("GORILLA__LIMITS__MAX_IN_FLIGHT", "10")]).await;
    let items: Vec<_> = (0..300).map(|_| acquire(&name("few"))).collect();
    assert_eq!(counts(&replica.api.batch(&json!({ "operations": items }), &[]).await), [300, 0, 0]);
}

#[tokio::test]
async fn many_batches_at_once_refuse_neither_each_other_nor_a_request_that_comes_alone() {
    let redis = crate::harness::Redis::shared();
    let settings = [("GORILLA__LIMITS__MAX_IN_FLIGHT", "200"), ("GORILLA__REDIS__COMMAND_TIMEOUT", "20s")];
    let replica = Replica::with(&redis.url(), &settings).await;
    let batches = (0..20).map(|_| async {
        let items: Vec<_> = (0..200).map(|_| acquire(&name("together"))).collect();
        counts(&replica.api.batch(&json!({ "operations": items }), &[]).await)
    });
    let alone = async {
        for _ in 0..50 {
            replica.api.granted(&name("alone"), "me", 30).await;
        }
    };
    let (all, ()) = tokio::join!(futures_util::future::join_all(batches), alone);
    assert!(all.iter().all(|counts| *counts == [200, 0, 0]), "{all:?}");
}
