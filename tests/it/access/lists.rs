//! A list shows what the caller may list.

use serde_json::{Value, json};

use super::{everything, guarded};
use crate::harness::{AccessFile, Api, Key, key_entry, name, role};

async fn names(api: &Api, query: &str) -> (Vec<String>, Value) {
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/api/v1/locks?limit=10&cursor={cursor}&{query}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        let locks = page["locks"].as_array().expect("locks");
        names.extend(locks.iter().map(|lock| lock["resource"].as_str().expect("a name").to_string()));
        match page["cursor"].as_str() {
            Some(next) => cursor = next.into(),
            None => return (names, page["scope"].clone()),
        }
    }
}

#[tokio::test]
async fn a_list_has_the_locks_of_the_prefixes_and_names_of_the_caller() {
    let all = name("listed");
    let (ops, shop, none) = (Key::new("ops"), Key::new("shop"), Key::new("none"));
    let rules = format!(
        "{{prefix=\"{all}:orders:\", verbs=[\"list\"]}}, {{name=\"{all}:nightly\", verbs=[\"list\"]}}, \
         {{prefix=\"{all}:\", verbs=[\"acquire\"]}}"
    );
    let text = everything("all")
        + &role("shops", &rules)
        + &role("nobody", "{prefix=\"\", verbs=[\"inspect\"]}")
        + &key_entry("ops", "all", &ops, "")
        + &key_entry("shop", "shops", &shop, "")
        + &key_entry("none", "nobody", &none, "");
    let file = AccessFile::new(&text);
    let replica = guarded(&file).await;
    let [ops, shop, none] = [&ops, &shop, &none].map(|key| replica.api.with_key(key));
    for rest in ["orders:1", "orders:2", "nightly", "nightly2", "stock"] {
        ops.granted(&format!("{all}:{rest}"), "me", 60).await;
    }
    let full = |names: &[&str]| names.iter().map(|rest| format!("{all}:{rest}")).collect::<Vec<_>>();
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names.dedup();
        names
    };

    let (seen, scope) = names(&ops, &format!("prefix={all}:")).await;
    assert_eq!(sorted(seen), full(&["nightly", "nightly2", "orders:1", "orders:2", "stock"]));
    assert_eq!(scope, json!([format!("{all}:")]));
    let (seen, scope) = names(&shop, "").await;
    assert_eq!(sorted(seen), full(&["nightly", "orders:1", "orders:2"]));
    assert_eq!(scope, json!(full(&["nightly", "orders:"])));
    let (seen, scope) = names(&shop, &format!("prefix={all}:orders:2")).await;
    assert_eq!((sorted(seen), scope), (full(&["orders:2"]), json!(full(&["orders:2"]))));
    let (seen, scope) = names(&shop, &format!("prefix={all}:stock")).await;
    assert_eq!((seen.len(), scope), (0, json!([])));
    let refused = none.get("/api/v1/locks").await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "insufficient_scope"), "{refused:?}");
    assert_eq!(refused.json()["verb"], "list");
}
