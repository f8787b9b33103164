//! Identity × right × route: each operation with each identity, over one table.

use gorilla_wire::{Operation, Right};
use serde_json::{Value, json};

use super::guarded;
use crate::harness::{AccessFile, Answer, Api, Key, Method, key_entry, lock_path, name, role};

const VERBS: [&str; 10] =
    ["acquire", "wait", "extend", "release", "inspect", "list", "break", "limit", "events", "metrics"];

/// How the names of the identities begin or end whose rules are about all resources.
const EVERYWHERE: [&str; 2] = ["-all", "not-"];

/// Sends an operation as a caller that means it would.
async fn send(api: &Api, operation: Operation, resource: &str) -> Answer {
    let in_path = |text: &str| text.replace("/api/v1/locks/{resource}", &lock_path(resource));
    let path = in_path(operation.path()).replace("{resource}", resource).replace("{token}", &"0".repeat(36));
    let token = [("Lock-Token", "00000000-0000-0000-0000-000000000000")];
    let acquire = json!({ "owner": "me", "timeout": 5 });
    let body: Option<Value> = match operation {
        Operation::Acquire | Operation::Campaign => Some(acquire),
        Operation::AcquireSet => Some(json!({ "owner": "me", "timeout": 5, "resources": [{ "resource": resource }] })),
        Operation::Extend | Operation::ExtendByHeader | Operation::Keep => Some(json!({ "timeout": 5 })),
        Operation::PinLimit => Some(json!({ "limit": 3 })),
        Operation::Batch => Some(json!({ "operations": [] })),
        _ => None,
    };
    let headers: &[_] = match operation {
        // A stream would not end.
        Operation::Events => &[("Accept", "application/json")],
        Operation::ExtendByHeader | Operation::ReleaseByHeader | Operation::Keep | Operation::Resign => &token,
        _ => &[],
    };
    api.send(operation.method(), &path, headers, body.map(|body| body.to_string())).await
}

/// Whether an answer is anything but a refusal of the caller.
fn is_served(answer: &Answer) -> bool {
    ![401, 403].contains(&answer.status)
}

#[tokio::test]
async fn each_operation_is_served_to_exactly_those_who_have_its_right() {
    let mut text = String::new();
    let resource = name("matrix");
    let other = name("elsewhere");
    // A key for each verb on the resource by its prefix, by its name, on another resource, and on all; and one for all
    // verbs but one.
    let mut identities: Vec<(String, Vec<&str>, bool)> = Vec::new();
    for verb in VERBS {
        let with = if verb == "wait" { vec!["wait", "acquire"] } else { vec![verb] };
        for (kind, rule, here) in [
            ("prefix", format!("prefix=\"{}\"", &resource[..6]), true),
            ("name", format!("name=\"{resource}\""), true),
            ("all", "prefix=\"\"".into(), true),
            ("other", format!("name=\"{other}\""), false),
        ] {
            let name = format!("{verb}-{kind}");
            text += &role(&name, &format!("{{{rule}, verbs={with:?}}}"));
            identities.push((name, with.clone(), here));
        }
        let rest: Vec<_> =
            VERBS.into_iter().filter(|other| *other != verb && (verb, *other) != ("acquire", "wait")).collect();
        let name = format!("not-{verb}");
        text += &role(&name, &format!("{{prefix=\"\", verbs={rest:?}}}"));
        identities.push((name, rest, true));
    }
    let key_of = |name: &str| Key::new(&name.replace('-', ""));
    text.extend(identities.iter().map(|(name, ..)| key_entry(name, name, &key_of(name), "")));
    let file = AccessFile::new(&text);
    let replica = guarded(&file).await;

    let mut checked = 0;
    for (name, verbs, here) in &identities {
        let caller = replica.api.with_key(&key_of(name));
        for operation in Operation::ALL {
            let expected = match operation.right() {
                Right::Public | Right::OfEachItem => true,
                Right::On(verb) => *here && verbs.contains(&verb.as_str()),
                // The set names the resource. A list and a stream show what the caller may see.
                Right::Everywhere(verb) => {
                    verbs.contains(&verb.as_str())
                        && EVERYWHERE.iter().any(|kind| name.ends_with(kind) || name.starts_with(kind))
                }
                Right::OnSome(verb) => {
                    verbs.contains(&verb.as_str())
                        && (*here || [Operation::List, Operation::Events].contains(&operation))
                }
            };
            let answer = send(&caller, operation, &resource).await;
            assert_eq!(is_served(&answer), expected, "{name} {operation:?}: {answer:?}");
            if !expected {
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (403, "insufficient_scope"),
                    "{name} {operation:?}"
                );
            }
            checked += 1;
        }
        // HEAD is what GET is.
        for operation in Operation::ALL.into_iter().filter(|operation| operation.method() == Method::GET) {
            let get = send(&caller, operation, &resource).await.status;
            let path = operation.path().replace("/api/v1/locks/{resource}", &lock_path(&resource));
            let path = path.replace("{resource}", &resource).replace("{token}", &"0".repeat(36));
            assert_eq!(caller.send(Method::HEAD, &path, &[], None).await.status, get, "{name} {operation:?}");
        }
    }
    assert_eq!(checked, identities.len() * Operation::ALL.len());
    println!("{checked} combinations of identity and operation");
}

#[tokio::test]
async fn a_refusal_names_verb_and_resource_and_is_the_same_whether_the_lock_is_held() {
    let (ops, reader) = (Key::new("ops"), Key::new("reader"));
    let text = super::everything("all")
        + &role("readers", r#"{prefix="none:", verbs=["inspect"]}"#)
        + &key_entry("ops", "all", &ops, "")
        + &key_entry("reader", "readers", &reader, "");
    let file = AccessFile::new(&text);
    let replica = guarded(&file).await;
    let (ops, reader) = (replica.api.with_key(&ops), replica.api.with_key(&reader));
    let resource = name("secret");
    let free = reader.get(&lock_path(&resource)).await;
    ops.granted(&resource, "me", 30).await;
    let held = reader.get(&lock_path(&resource)).await;
    assert_eq!((free.status, &free.text), (403, &held.text));
    let body = free.json();
    assert_eq!((&body["verb"], &body["resource"]), (&json!("inspect"), &json!(resource)), "{body}");
    let message = body["errorMessage"].as_str().expect("a sentence");
    assert!(message.contains("\"reader\"") && message.contains("\"inspect\""), "{message}");
}

#[tokio::test]
async fn a_name_is_decided_by_what_it_is_and_not_by_how_it_is_written() {
    let key = Key::new("orders");
    let text =
        role("orders", r#"{prefix="orders:", verbs=["acquire","inspect"]}"#) + &key_entry("orders", "orders", &key, "");
    let file = AccessFile::new(&text);
    let replica = guarded(&file).await;
    let caller = replica.api.with_key(&key);
    for path in ["/api/v1/locks/orders:1", "/api/v1/locks/orders%3A1", "/api/v1/locks/%6Frders:1"] {
        assert_eq!(caller.get(path).await.status, 200, "{path}");
    }
    for path in
        ["/api/v1/locks/Orders:1", "/api/v1/locks/orders", "/api/v1/locks/orders-admin", "/api/v1/locks/%4Frders:1"]
    {
        assert_eq!(caller.get(path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn what_a_body_names_is_checked_too() {
    let key = Key::new("orders");
    let text = role("orders", r#"{prefix="orders:", verbs=["acquire","extend","release"]}"#)
        + &key_entry("orders", "orders", &key, "owner_prefix = \"orders/\"");
    let file = AccessFile::new(&text);
    let replica = guarded(&file).await;
    let caller = replica.api.with_key(&key);
    let mine = format!("orders:{}", name("body"));
    let forbidden = |answer: &Answer, says: &str| {
        assert_eq!((answer.status, answer.code().as_str()), (403, "insufficient_scope"), "{answer:?}");
        assert!(answer.json()["errorMessage"].to_string().contains(says), "{answer:?}");
    };
    // To wait needs a verb of its own.
    let waiting = json!({ "owner": "orders/1", "timeout": 5, "wait": 1 });
    forbidden(&caller.acquire_with(&mine, &waiting, &[]).await, "wait");
    // The owner is a label, which the access file may bind.
    forbidden(&caller.acquire(&mine, "me", 5).await, "orders/");
    // A set is refused whole.
    let set =
        json!({ "owner": "orders/1", "timeout": 5, "resources": [{ "resource": mine }, { "resource": "stock" }] });
    forbidden(&caller.send(Method::POST, "/api/v1/locks", &[], Some(set.to_string())).await, "stock");
    // Each item of a batch is refused or done by itself.
    let batch = json!({ "operations": [
        { "op": "acquire", "resource": mine, "owner": "orders/1", "timeout": 5 },
        { "op": "acquire", "resource": "stock", "owner": "orders/1", "timeout": 5 },
        { "op": "extend", "resource": "stock", "token": "x", "timeout": 5 },
        { "op": "release", "resource": "stock", "token": "x" },
    ] });
    let done = caller.batch(&batch, &[]).await.json();
    let statuses: Vec<_> =
        done["results"].as_array().expect("results").iter().map(|item| item["status"].clone()).collect();
    assert_eq!(statuses, [200, 403, 403, 403], "{done}");
    // A conversion is a new grant.
    let lock = done["results"][0]["body"].clone();
    let extended = caller.extend(&mine, lock["token"].as_str().expect("a token"), 5).await;
    assert_eq!(extended.status, 200);
}
