//! What a request may ask for.

use crate::harness::Replica;

#[tokio::test]
async fn an_unknown_parameter_and_a_wrong_value_are_refused() {
    let api = Replica::shared().await;
    for (path, field) in [
        ("stats?until=1", "query"),
        ("stats?range=2h", "range"),
        ("stats?range=59s", "range"),
        ("stats?range=15m&range=15m", "range"),
        ("contention?range=", "range"),
        ("contention?limit=5", "query"),
        ("replicas?range=15m", "query"),
        ("redis?x", "query"),
        ("me?x=1", "query"),
        ("locks/x/queue?limit=0", "limit"),
        ("locks/x/queue?limit=1001", "limit"),
        ("locks/x/queue?most=3", "query"),
        ("locks?sort=size", "sort"),
        ("locks?sort=", "sort"),
        ("locks?sort=name&cursor=0-8", "cursor"),
        ("locks?sort=name&cursor=s--1", "cursor"),
        ("locks?cursor=s-8", "cursor"),
    ] {
        let refused = api.get(&format!("/api/v1/{path}")).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "invalid_request"), "{path}: {refused:?}");
        let message = refused.json()["errorMessage"].as_str().expect("a sentence").to_string();
        assert!(message.contains(field), "{path}: {message}");
    }
}
