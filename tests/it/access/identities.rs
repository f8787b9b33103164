//! What belongs to an identity: its Idempotency-Keys, and the places of its requests in queues.

use std::time::Duration;

use serde_json::json;

use super::with_callers;
use crate::harness::{Method, eventually, lock_path, name, token};

const KEY: [(&str, &str); 1] = [("Idempotency-Key", "deploy-42")];

#[tokio::test]
async fn the_same_idempotency_key_of_another_identity_is_another_request() {
    let (_replica, _file, [ann, bob]) = with_callers(["ann", "bob"]).await;
    let (resource, body) = (name("replayed"), json!({ "owner": "ci", "timeout": 30 }));
    let granted = ann.acquire_with(&resource, &body, &KEY).await;
    assert_eq!(granted.status, 200);
    // The same key, the same body: the other identity learns nothing.
    let other = bob.acquire_with(&resource, &body, &KEY).await;
    assert_eq!((other.status, other.code().as_str()), (409, "lock_held"), "{other:?}");
    assert!(!other.text.contains(token(&granted.json())));
    // The first identity still has its answer.
    let again = ann.acquire_with(&resource, &body, &KEY).await;
    assert_eq!((again.status, again.header("idempotent-replay")), (200, Some("true")));
    assert_eq!(token(&again.json()), token(&granted.json()));
}

#[tokio::test]
async fn nobody_takes_an_idempotency_key_of_another_identity_away() {
    let (_replica, _file, [ann, bob]) = with_callers(["ann", "bob"]).await;
    let resource = name("claimed");
    let first = bob.acquire_with(&resource, &json!({ "owner": "bob", "timeout": 30 }), &KEY).await;
    assert_eq!(bob.release(&resource, token(&first.json())).await.status, 204);
    // Another request under the same key, which would be 422 if the keys were the same.
    let second = ann.acquire_with(&resource, &json!({ "owner": "ann", "timeout": 60 }), &KEY).await;
    assert_eq!(second.status, 200, "{second:?}");
    // The name of an identity and a key can't be put together to the key of another.
    let forged = [("Idempotency-Key", "ann:deploy-42")];
    let forged = bob.acquire_with(&resource, &json!({ "owner": "ann", "timeout": 60 }), &forged).await;
    assert_eq!((forged.status, forged.header("idempotent-replay")), (409, None), "{forged:?}");
}

#[tokio::test]
async fn a_place_in_a_queue_is_not_taken_over_by_another_identity() {
    let (_replica, _file, [ann, bob]) = with_callers(["ann", "bob"]).await;
    let resource = name("place");
    let held = ann.granted(&resource, "holder", 30).await;
    let waiting = json!({ "owner": "ci", "timeout": 30, "wait": 20 });
    let first = {
        let (ann, resource, waiting) = (ann.clone(), resource.clone(), waiting.clone());
        tokio::spawn(async move { ann.acquire_with(&resource, &waiting, &KEY).await })
    };
    let waits = async |count: u64| {
        eventually("requests wait", Duration::from_secs(5), || async {
            ann.state(&resource).await["waiting"] == count
        })
        .await;
    };
    waits(1).await;
    let second = {
        let (bob, resource) = (bob.clone(), resource.clone());
        tokio::spawn(async move { bob.acquire_with(&resource, &waiting, &KEY).await })
    };
    // Two places, where a copy would have taken over the one.
    waits(2).await;
    assert_eq!(ann.release(&resource, token(&held)).await.status, 204);
    let first = first.await.expect("no panic");
    assert_eq!(first.status, 200, "{first:?}");
    assert!(!second.is_finished());
    assert_eq!(ann.release(&resource, token(&first.json())).await.status, 204);
    assert_eq!(second.await.expect("no panic").status, 200);
}

#[tokio::test]
async fn a_token_alone_is_worthless_and_with_the_right_it_is_enough() {
    let (_replica, _file, [ann, bob]) = with_callers(["ann", "bob"]).await;
    let resource = name("handed-over");
    let lock = ann.granted(&resource, "ci", 30).await;
    let path = format!("{}/{}", lock_path(&resource), token(&lock));
    let without = _replica.api.send(Method::DELETE, &path, &[], None).await;
    assert_eq!(without.status, 401);
    // The steps of a pipeline hand a lock over.
    assert_eq!(bob.release(&resource, token(&lock)).await.status, 204);
}
