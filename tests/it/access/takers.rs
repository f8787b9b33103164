//! `by`: a lock says which API key took it, to whoever may inspect it.

use reqwest::Method;
use serde_json::{Value, json};

use super::{everything, guarded};
use crate::{
    events_http::Stream,
    harness::{AccessFile, Answer, Api, Key, Redis, Replica, key_entry, lock_path, name, role, token},
};

/// A replica with the callers `shop` and `ops`, who may do all; and `clerk`, who may do all but inspect.
struct Guarded {
    _file: AccessFile,
    replica: Replica,
    shop: Api,
    ops: Api,
    clerk: Api,
}

async fn three_callers() -> Guarded {
    let rest = r#"["acquire","wait","extend","release","list","break","limit","events"]"#;
    let mut text = everything("all") + &role("clerks", &format!("{{prefix=\"\", verbs={rest}}}"));
    let callers = ["shop", "ops", "clerk"].map(|name| (name, Key::new(name)));
    for (name, key) in &callers {
        text += &key_entry(name, if *name == "clerk" { "clerks" } else { "all" }, key, "");
    }
    let file = AccessFile::new(&text);
    let replica = guarded(&file).await;
    let [shop, ops, clerk] = callers.map(|(_, key)| replica.api.with_key(&key));
    Guarded { _file: file, replica, shop, ops, clerk }
}

async fn ask(api: &Api, method: Method, path: &str, body: &Value) -> Answer {
    api.send(method, path, &[], Some(body.to_string())).await
}

/// The only lock of a list.
async fn listed(api: &Api, resource: &str, more: &str) -> Value {
    let page = api.get(&format!("/api/v1/locks?limit=1000&prefix={resource}{more}")).await.json();
    let locks = page["locks"].as_array().unwrap_or_else(|| panic!("{page}"));
    locks.iter().find(|lock| lock["resource"] == resource).cloned().unwrap_or_else(|| panic!("{page}"))
}

/// The lock in a sorted list, whose replica may know it by a later look only.
async fn sorted(api: &Api, resource: &str) -> Value {
    for _ in 0..600 {
        let page = api.get(&format!("/api/v1/locks?sort=name&limit=1000&prefix={resource}")).await.json();
        let found = page["locks"].as_array().and_then(|all| all.iter().find(|lock| lock["resource"] == resource));
        if let Some(lock) = found {
            return lock.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{resource} is in no sorted list")
}

#[tokio::test]
async fn state_status_list_and_election_tell_who_took_a_lock_and_an_extend_by_another_does_not_change_it() {
    let Guarded { shop, ops, clerk, .. } = &three_callers().await;
    let resource = name("taken");
    let lock = shop.granted(&resource, "a label", 600).await;
    assert!(lock.get("by").is_none(), "who takes it knows it: {lock}");
    let extended = ops.extend(&resource, token(&lock), 600).await.json();
    assert!(extended.get("by").is_none(), "{extended}");
    let shop_took_it = json!("shop");
    for api in [shop, ops] {
        assert_eq!(api.state(&resource).await["by"], shop_took_it);
        assert_eq!(api.status(&resource, token(&extended)).await.json()["by"], shop_took_it);
        assert_eq!(listed(api, &resource, "").await["by"], shop_took_it);
        assert_eq!(listed(api, &resource, "&owner=a%20label").await["by"], shop_took_it);
        assert_eq!(sorted(api, &resource).await["by"], shop_took_it);
        let election = api.get(&format!("/api/v1/elections/{resource}")).await.json();
        assert_eq!(election["leader"]["by"], shop_took_it, "{election}");
        let waited = api.get(&format!("{}?until=changed&fence=1&wait=1", lock_path(&resource))).await.json();
        assert_eq!(waited["by"], shop_took_it, "{waited}");
    }
    // A list is for whoever may list. Who took the lock is for whoever may inspect it.
    for seen in [listed(clerk, &resource, "").await, sorted(clerk, &resource).await] {
        assert_eq!((&seen["owner"], seen.get("by")), (&json!("a label"), None), "{seen}");
    }
    // The next holder is another.
    ops.release(&resource, token(&extended)).await;
    clerk.granted(&resource, "a label", 600).await;
    assert_eq!(ops.state(&resource).await["by"], "clerk");
}

#[tokio::test]
async fn it_is_told_of_every_kind_of_grant() {
    let Guarded { shop, ops, .. } = &three_callers().await;
    // One of several holders.
    let shared = name("taken-shared");
    let share = json!({ "owner": "reader", "timeout": 600, "mode": "shared" });
    let first = shop.acquire_with(&shared, &share, &[]).await.json();
    let second = ops.acquire_with(&shared, &share, &[]).await.json();
    let state = shop.state(&shared).await;
    let takers = |state: &Value| {
        let mut takers: Vec<_> =
            state["holders"].as_array().expect("holders").iter().map(|it| it["by"].clone()).collect();
        takers.sort_by_key(ToString::to_string);
        takers
    };
    assert_eq!(takers(&state), [json!("ops"), json!("shop")], "{state}");
    assert_eq!(ops.status(&shared, token(&first)).await.json()["by"], "shop");
    assert_eq!(shop.release(&shared, token(&first)).await.status, 204);
    let state = shop.state(&shared).await;
    assert_eq!((takers(&state), &state["by"]), (vec![json!("ops")], &json!("ops")), "{state}");

    // A conversion is a new grant, of whoever asks for it.
    let alone = json!({ "timeout": 600, "mode": "exclusive" });
    let path = format!("{}/{}", lock_path(&shared), token(&second));
    let converted = ask(shop, Method::PUT, &path, &alone).await;
    assert_eq!(converted.status, 200, "{converted:?}");
    assert_eq!(shop.state(&shared).await["by"], "shop");
    let path = format!("{}/{}", lock_path(&shared), token(&converted.json()));
    let back = ask(ops, Method::PUT, &path, &json!({ "timeout": 600, "mode": "shared" })).await;
    assert_eq!(back.status, 200, "{back:?}");
    assert_eq!(takers(&shop.state(&shared).await), [json!("ops")]);

    // The items of a batch, and the parts of a set.
    let names = [name("taken-batch"), name("taken-set"), name("taken-set")];
    let item = json!({ "op": "acquire", "resource": names[0], "owner": "me", "timeout": 600 });
    assert_eq!(shop.batch(&json!({ "operations": [item] }), &[]).await.json()["ok"], 1);
    let set =
        json!({ "owner": "me", "timeout": 600, "resources": [{ "resource": names[1] }, { "resource": names[2] }] });
    assert_eq!(ask(shop, Method::POST, "/api/v1/locks", &set).await.status, 200);
    for name in &names {
        assert_eq!(ops.state(name).await["by"], "shop", "{name}");
    }

    // A waiter, which is granted the lock with the release of the other.
    let waited = name("taken-waited");
    let held = shop.granted(&waited, "first", 600).await;
    let waiter = tokio::spawn({
        let (api, body) = (ops.clone(), json!({ "owner": "second", "timeout": 600, "wait": 60 }));
        let waited = waited.clone();
        async move { api.acquire_with(&waited, &body, &[]).await }
    });
    crate::harness::eventually("it waits", std::time::Duration::from_secs(60), || async {
        shop.state(&waited).await["waiting"] == 1
    })
    .await;
    shop.release(&waited, token(&held)).await;
    assert_eq!(waiter.await.expect("an answer").status, 200);
    assert_eq!(shop.state(&waited).await["by"], "ops");
}

#[tokio::test]
async fn events_tell_who_took_a_lock_to_those_who_may_inspect_it() {
    let Guarded { replica, shop, ops, clerk, .. } = &three_callers().await;
    let resource = name("taken-events");
    let listen = async |caller: &str, query: &str| {
        let bearer = Key::new(caller).bearer();
        Stream::open_with(&replica.api, &format!("?resource={resource}{query}"), &[("Authorization", &bearer)]).await
    };
    let (mut of_ops, mut of_clerk) = (listen("ops", "").await, listen("clerk", "").await);
    of_ops.expect("hello").await;
    of_clerk.expect("hello").await;
    let lock = shop.granted(&resource, "a label", 600).await;
    let told = of_ops.until("granted").await.data;
    assert_eq!((&told["by"], &told["fence"]), (&json!("shop"), &lock["fence"]), "{told}");
    let told = of_clerk.until("granted").await.data;
    assert_eq!((told.get("by"), &told["fence"]), (None, &lock["fence"]), "{told}");

    // The states, who leads, and the history.
    for (caller, by) in [("ops", Some(&json!("shop"))), ("clerk", None)] {
        let mut stream = listen(caller, "&snapshot=1&types=granted,leader").await;
        stream.expect("hello").await;
        for message in ["state", "leader"] {
            let told = stream.expect(message).await.data;
            assert_eq!((told.get("by"), &told["fence"]), (by, &lock["fence"]), "{message}: {told}");
        }
        let api = if caller == "ops" { ops } else { clerk };
        let history = api.get(&format!("{}/events", lock_path(&resource))).await.json();
        assert_eq!(history["events"][0].get("by"), by, "{history}");
    }
    // Elected with the eyes of others upon it.
    let election = name("taken-election");
    let bearer = Key::new("ops").bearer();
    let mut stream =
        Stream::open_with(&replica.api, &format!("?resource={election}&types=leader"), &[("Authorization", &bearer)])
            .await;
    stream.expect("hello").await;
    shop.granted(&election, "a label", 600).await;
    assert_eq!(stream.until("leader").await.data["by"], "shop");
}

#[tokio::test]
async fn who_broke_a_lock_is_told_with_its_dead_token_to_those_who_may_inspect_it() {
    let Guarded { shop, ops, clerk, .. } = &three_callers().await;
    let resource = name("taken-broken");
    let lock = shop.granted(&resource, "me", 600).await;
    assert_eq!(ops.break_lock(&resource, &json!({ "reason": "spring cleaning" }), &[]).await.status, 200);
    for refused in [shop.extend(&resource, token(&lock), 30).await, shop.release(&resource, token(&lock)).await] {
        let told = refused.json();
        assert_eq!((&told["brokenBy"], &told["reason"]), (&json!("ops"), &json!("spring cleaning")), "{told}");
        assert!(told["errorMessage"].as_str().is_some_and(|text| text.contains("by the API key \"ops\"")), "{told}");
    }
    for refused in [clerk.extend(&resource, token(&lock), 30).await, clerk.release(&resource, token(&lock)).await] {
        let told = refused.json();
        assert_eq!((told.get("brokenBy"), &told["reason"]), (None, &json!("spring cleaning")), "{told}");
        assert!(told["brokenAt"].is_string() && !refused.text.contains("ops"), "{told}");
    }
}

#[tokio::test]
async fn a_lock_of_nobody_known_and_one_of_an_earlier_version_are_shown_without() {
    let Guarded { ops, .. } = &three_callers().await;
    // Taken at a replica without keys, on the same Redis.
    let (open, resource) = (Replica::shared().await, name("taken-openly"));
    let lock = open.granted(&resource, "me", 600).await;
    for state in [ops.state(&resource).await, open.state(&resource).await, listed(ops, &resource, "").await] {
        assert!(state["held"] == true && state.get("by").is_none(), "{state}");
    }
    assert!(ops.status(&resource, token(&lock)).await.json().get("by").is_none());
    let keys = Redis::shared().cli(&["HKEYS", &format!("gorilla:{{{resource}}}:lock")]);
    assert!(!keys.lines().any(|key| key == "by"), "{keys}");
}
