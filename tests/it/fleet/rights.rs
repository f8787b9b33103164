//! What a key may not see is in no answer.

use serde_json::{Value, json};

use super::{becomes, look};
use crate::{
    harness::{AccessFile, Key, Redis, Replica, key_entry, name, role},
    queue::{queue, waiter},
};

const ALL: &str = r#"{prefix="", verbs=["acquire","wait","extend","release","inspect","list","metrics"]}"#;

#[tokio::test]
async fn a_key_with_a_prefix_sees_its_own_locks_and_who_waits_there_and_nothing_else() {
    let redis = Redis::start(&[]);
    let [ops, shop, looks, lists] = ["ops", "shop", "looks", "lists"].map(Key::new);
    let text = role("ops", ALL)
        + &role("shop", r#"{prefix="shop:", verbs=["inspect","list"]}, {name="nightly", verbs=["inspect"]}"#)
        + &role("looks", r#"{prefix="", verbs=["inspect"]}"#)
        + &role("lists", r#"{prefix="", verbs=["list"]}"#)
        + &key_entry("ops", "ops", &ops, "")
        + &key_entry("shop", "shop", &shop, "")
        + &key_entry("looks", "looks", &looks, "")
        + &key_entry("lists", "lists", &lists, "");
    let file = AccessFile::new(&text);
    let path = file.path();
    let settings = [("GORILLA__AUTH__FILE", path.to_str().expect("a path of UTF-8"))];
    let replica = Replica::with(&redis.url(), &settings).await;
    let [ops, shop, looks, lists] = [ops, shop, looks, lists].map(|key| replica.api.with_key(&key));

    let (own, hidden) = (format!("shop:{}", name("own")), format!("secret:{}", name("hidden")));
    let mut waiters = Vec::new();
    // Who holds the one waits for the other, so a tree over both would tell of both.
    for (resource, holder, next) in
        [(&own, "middle", "last"), (&hidden, "hidden-root", "middle"), (&"nightly".into(), "n", "m")]
    {
        ops.granted(resource, holder, 120).await;
        waiters.push(waiter(&ops, resource, next, 55.0, None));
        crate::harness::eventually("it waits", super::TOLD, || async { queue(&redis, resource).len() == 1 }).await;
    }
    let told = becomes(&ops, "/api/v1/contention", "all are told", |told| {
        told["resources"].as_array().is_some_and(|all| all.len() == 3)
    })
    .await;
    assert!(told["blocking"].to_string().contains("hidden-root"), "{told}");

    let told = look(&shop, "/api/v1/contention").await;
    let names: Vec<_> = told["resources"].as_array().expect("resources").iter().map(|row| &row["resource"]).collect();
    assert_eq!((names, &told["scope"]), (vec![&json!(own)], &json!(["shop:"])), "{told}");
    assert!(!told.to_string().contains("hidden") && !told.to_string().contains("nightly"), "{told}");
    assert_eq!(told["blocking"][0]["owner"], "middle", "{told}");
    // Whoever may inspect what it can name must not learn names.
    let told = look(&looks, "/api/v1/contention").await;
    assert_eq!((&told["resources"], &told["blocking"], &told["scope"]), (&json!([]), &json!([]), &json!([])));

    let sorted = becomes(&lists, "/api/v1/locks?sort=name", "all are seen", |page| page["progress"] == 1.0).await;
    assert_eq!(sorted["total"], 3, "{sorted}");
    let sorted = becomes(&shop, "/api/v1/locks?sort=name", "its own are seen", |page| page["progress"] == 1.0).await;
    assert_eq!((&sorted["total"], &sorted["locks"][0]["resource"]), (&json!(1), &json!(own)), "{sorted}");
    assert_eq!(look(&shop, "/api/v1/locks?sort=name&prefix=secret:").await["total"], 0);

    for (api, path, verb) in [
        (&shop, "stats", "metrics"),
        (&shop, "replicas", "metrics"),
        (&shop, "redis", "metrics"),
        (&lists, "contention", "inspect"),
        (&looks, "locks?sort=name", "list"),
    ] {
        let refused = api.get(&format!("/api/v1/{path}")).await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "insufficient_scope"), "{path}: {refused:?}");
        assert_eq!(refused.json()["verb"], verb, "{path}");
    }
    // Figures of all replicas have no names in them.
    let stats = look(&ops, "/api/v1/stats").await;
    assert!(!has_text(&stats, &hidden) && !has_text(&stats, "middle"), "{stats}");
}

fn has_text(value: &Value, text: &str) -> bool {
    value.to_string().contains(text)
}
