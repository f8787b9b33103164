//! Who asks, and what it may do.

use serde_json::json;

use super::look;
use crate::harness::{AccessFile, Key, Redis, Replica, key_entry, role};

#[tokio::test]
async fn where_no_keys_are_demanded_everybody_may_do_everything() {
    let replica = Replica::on(&Redis::start(&[])).await;
    let me = look(&replica.api, "/api/v1/me").await;
    assert_eq!((&me["keysDemanded"], &me["identity"]), (&json!(false), &json!(null)), "{me}");
    let rights = me["rights"].as_object().expect("rights");
    assert_eq!(rights.len(), 10, "{me}");
    assert!(rights.values().all(|right| *right == json!({ "all": true, "prefixes": [""], "names": [] })), "{me}");
    assert_eq!(me["keyPrefix"], "gorilla", "{me}");
    assert_eq!(
        (&me["version"], &me["features"]),
        (&json!(env!("CARGO_PKG_VERSION")), &json!({ "events": "listened", "pulse": true }))
    );
}

#[tokio::test]
async fn a_key_sees_its_name_and_what_it_may_do_and_nobody_else_does() {
    let key = Key::new("orders");
    let rules = r#"{prefix="orders:", verbs=["acquire","inspect"]}, {name="nightly", verbs=["inspect"]}"#;
    let more = "owner_prefix = \"orders/\"\nexpires = 2030-01-02T03:04:05Z";
    let file = AccessFile::new(&(role("orders-role", rules) + &key_entry("orders-prod", "orders-role", &key, more)));
    let path = file.path();
    let settings = [("GORILLA__AUTH__FILE", path.to_str().expect("a path of UTF-8"))];
    let replica = Replica::with(&Redis::shared().url(), &settings).await;
    let me = look(&replica.api.with_key(&key), "/api/v1/me").await;
    assert_eq!(
        (&me["keysDemanded"], &me["identity"]),
        (
            &json!(true),
            &json!({
                "name": "orders-prod", "role": "orders-role", "ownerPrefix": "orders/",
                "expiresAt": "2030-01-02T03:04:05.000Z",
            })
        )
    );
    assert_eq!(
        me["rights"],
        json!({
            "acquire": { "all": false, "prefixes": ["orders:"], "names": [] },
            "inspect": { "all": false, "prefixes": ["orders:"], "names": ["nightly"] },
        })
    );
    for (api, code) in
        [(&replica.api, "authentication_required"), (&replica.api.with_key(&Key::new("other")), "invalid_key")]
    {
        let refused = api.get("/api/v1/me").await;
        assert_eq!((refused.status, refused.code().as_str()), (401, code), "{refused:?}");
    }
}
