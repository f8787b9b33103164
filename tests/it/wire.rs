//! The four operations as the wire table has them, and what is new beside them.

use serde_json::json;

use crate::harness::{Replica, name, token};

#[tokio::test]
async fn a_lock_is_taken_looked_at_extended_and_released() {
    let replica = Replica::start().await;
    let (api, resource) = (&replica.api, name("life"));

    let lock = api.granted(&resource, "me", 30).await;
    assert_eq!(lock["owner"], "me");
    assert_eq!(lock["resource"], *resource);
    assert_eq!(lock["timeout"], 30);
    assert_eq!(lock["ttlMs"], 30_000);
    assert_eq!(lock["metadata"], json!([]));
    assert_eq!(lock["createdAt"], lock["updatedAt"]);

    let status = api.status(&resource, token(&lock)).await;
    assert_eq!(status.status, 200);
    assert_eq!(status.json()["timeout"], 29);

    let extended = api.extend(&resource, token(&lock), 60).await.json();
    assert_ne!(extended["token"], lock["token"]);
    assert_eq!(
        (&extended["id"], &extended["fence"], &extended["createdAt"]),
        (&lock["id"], &lock["fence"], &lock["createdAt"])
    );
    assert_eq!(extended["timeout"], 60);

    assert_eq!(api.release(&resource, token(&lock)).await.code(), "token_not_found");
    assert_eq!(api.release(&resource, token(&extended)).await.status, 204);
    assert_eq!(api.state(&resource).await, json!({ "resource": resource, "held": false, "waiting": 0 }));
}
