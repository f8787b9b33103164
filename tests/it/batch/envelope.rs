//! A batch is checked wholly before anything is done.

use reqwest::Method;
use serde_json::{Value, json};

use super::{acquire, counts, release, renewal, results};
use crate::harness::{Redis, Replica, name};

const TOKEN: &str = "6f1c8a52-8a6e-4b0e-9c1d-2f4f0b9a7d31";

#[tokio::test]
async fn an_item_that_breaks_a_rule_refuses_the_whole_and_names_the_item() {
    let (api, redis, resource) = (Replica::shared().await, Redis::shared(), name("whole"));
    let with = |mut item: Value, field: &str, value: Value| {
        item[field] = value;
        item
    };
    let without = |mut item: Value, field: &str| {
        item.as_object_mut().expect("an object").remove(field);
        item
    };
    let (take, keep, free) = (|| acquire("x"), || renewal("x", TOKEN), || release("x", TOKEN));
    for (item, field, says) in [
        (json!(5), None, "is a number; it must be an object"),
        (json!([]), None, "is an array; it must be an object"),
        (without(take(), "op"), Some("op"), "op is missing"),
        (with(take(), "op", json!("break")), Some("op"), "op is \"break\"; it must be \"acquire\""),
        (with(take(), "op", json!(null)), Some("op"), "op is null"),
        (with(take(), "wait", json!(0)), Some("wait"), "wait must not be there"),
        (with(keep(), "wait", json!(null)), Some("wait"), "wait must not be there"),
        (without(take(), "resource"), Some("resource"), "resource is missing"),
        (with(take(), "resource", json!(7)), Some("resource"), "resource is a number"),
        (with(take(), "resource", json!("a/b")), Some("resource"), "must not contain \"/\""),
        (with(take(), "resource", json!("")), Some("resource"), "0 bytes long"),
        (without(take(), "owner"), Some("owner"), "owner is missing"),
        (without(take(), "timeout"), Some("timeout"), "timeout is missing"),
        (with(take(), "timeout", json!(0.01)), Some("timeout"), "too short"),
        (with(take(), "metadata", json!("x".repeat(4097))), Some("metadata"), "at most 4096"),
        (with(take(), "token", json!(TOKEN)), None, "has unknown fields: \"token\"; known are op, resource, owner"),
        (with(take(), "mode", json!("open")), Some("mode"), "\"exclusive\" or \"shared\""),
        (without(keep(), "token"), Some("token"), "token is missing"),
        (with(keep(), "token", json!(false)), Some("token"), "token is a boolean"),
        (with(keep(), "owner", json!("me")), None, "unknown fields: \"owner\""),
        (with(keep(), "rotate", json!(0)), Some("rotate"), "true or false"),
        (without(free(), "token"), Some("token"), "token is missing"),
        (with(free(), "timeout", json!(30)), None, "unknown fields: \"timeout\"; known are op, resource, token"),
    ] {
        let body = json!({ "operations": [acquire(&resource), item, acquire(&name("never"))] });
        let answer = api.batch(&body, &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{item}: {answer:?}");
        let error = answer.json();
        assert_eq!((&error["index"], error["field"].as_str()), (&json!(1), field), "{item}: {error}");
        let message = error["errorMessage"].as_str().expect("a sentence");
        assert!(message.starts_with("operations[1]: ") && message.contains(says), "{says}: {message}");
        assert_eq!(error["outcome"], "not_executed");
    }
    // A field that comes twice can't be written with a map.
    let twice = format!(r#"{{"operations":[{{"op":"release","op":"release","resource":"x","token":"{TOKEN}"}}]}}"#);
    let answer = api.send(Method::POST, "/api/v1/batch", &[], Some(twice)).await;
    assert!(answer.text.contains("operations[0]: has more than one field"), "{answer:?}");
    assert_eq!(redis.cli(&["KEYS", &format!("gorilla:{{{resource}}}:*")]), "", "nothing was done");
}

#[tokio::test]
async fn what_is_around_the_items_has_rules_too() {
    let (api, resource) = (Replica::shared().await, name("around"));
    let many = vec![acquire(&resource); 1001];
    for (body, field, says) in [
        (json!({}), Some("operations"), "operations is missing; it must be a list of at most 1000 operations"),
        (json!({ "operations": {} }), Some("operations"), "is an object"),
        (json!({ "operations": null }), Some("operations"), "is null"),
        (json!({ "operations": many }), Some("operations"), "has 1001 items"),
        (json!({ "operations": [], "brief": 1 }), Some("brief"), "brief is 1; it must be true or false"),
        (json!({ "operations": [], "wait": 1 }), None, "unknown fields: \"wait\"; known are operations, brief"),
        (
            json!({ "operations": [acquire(&resource)], "brief": true }),
            Some("brief"),
            "operations[0]: brief leaves out",
        ),
    ] {
        let answer = api.batch(&body, &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{answer:?}");
        assert_eq!(answer.json()["field"].as_str(), field, "{answer:?}");
        assert!(answer.text.replace("\\\"", "\"").contains(says), "{says}: {answer:?}");
    }
    let rotating = json!({ "op": "extend", "resource": "x", "token": TOKEN, "timeout": 60 });
    let answer = api.batch(&json!({ "operations": [rotating], "brief": true }), &[]).await;
    assert_eq!((answer.status, answer.json()["field"].as_str()), (400, Some("brief")), "{answer:?}");
    let answer = api.send(Method::POST, "/api/v1/batch?wait=1", &[], Some(r#"{"operations":[]}"#.into())).await;
    assert_eq!((answer.status, answer.json()["field"].as_str()), (400, Some("query")), "{answer:?}");
    assert_eq!(api.get("/api/v1/batch").await.code(), "method_not_allowed");
    assert_eq!(api.state(&resource).await["held"], false);
    let empty = api.batch(&json!({ "operations": [], "brief": null }), &[]).await;
    assert_eq!((counts(&empty), results(&empty)), ([0; 3], vec![]));
}

#[tokio::test]
async fn with_an_idempotency_key_no_resource_comes_twice() {
    let (api, resource) = (Replica::shared().await, name("twice"));
    let items = [acquire(&resource), acquire(&name("other")), release(&resource, TOKEN)];
    let answer = api.batch(&json!({ "operations": items }), &[("Idempotency-Key", "k")]).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{answer:?}");
    let error = answer.json();
    assert_eq!((&error["index"], &error["field"]), (&json!(2), &json!("resource")));
    assert!(answer.text.contains("is that of operations[0] too"), "{answer:?}");
    assert_eq!(api.state(&resource).await["held"], false);
}

#[tokio::test]
async fn a_body_may_have_a_mebibyte_on_this_route_alone() {
    let (api, resource) = (Replica::shared().await, name("mebibyte"));
    let padded = |length: usize| {
        let body = json!({ "operations": [acquire(&resource)] }).to_string();
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    let send = async |path: &str, body: String| api.send(Method::POST, path, &[], Some(body)).await;
    // Only the head of a longer body: the replica refuses the body before it comes, and closes the connection.
    let head = "POST /api/v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ";
    let answer = api.raw(format!("{head}{}\r\n\r\n", 1024 * 1024 + 1).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("\"body_too_large\""), "{answer}");
    assert!(answer.contains("at most 1048576 bytes"), "{answer}");
    assert_eq!(counts(&send("/api/v1/batch", padded(1024 * 1024)).await), [1, 0, 0]);
    let alone = format!("/api/v1/locks/{}", name("alone"));
    assert_eq!(send(&alone, padded(16 * 1024 + 1)).await.code(), "body_too_large");
}
