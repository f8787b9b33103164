//! Bodies that are not JSON objects with known fields, and bodies of a wrong type or length.

use reqwest::Method;
use serde_json::json;

use super::{all_of, raw_head, refused, refused_json};
use crate::harness::{Replica, lock_path, name, token};

/// Bodies that no operation takes, with what the sentence says.
const MALFORMED: [(&str, &[&str]); 15] = [
    ("   \r\n", &["is empty", "JSON object"]),
    ("{", &["not valid JSON"]),
    (r#"{"owner":"me","timeout":30"#, &["not valid JSON"]),
    (r#"{"owner":"me","timeout":30}}"#, &["not valid JSON"]),
    (r#"{"owner":"me","timeout":30} x"#, &["not valid JSON"]),
    (r#"{"owner":"me","timeout":NaN}"#, &["not valid JSON"]),
    (r#"{"owner":"me","timeout":Infinity}"#, &["not valid JSON"]),
    (r#"{"owner":"me","timeout":+1}"#, &["not valid JSON"]),
    (r#"{"owner":"me","timeout":30,}"#, &["not valid JSON"]),
    ("{'owner':'me'}", &["not valid JSON"]),
    ("[]", &["must be a JSON object"]),
    (r#"[{"owner":"me","timeout":30}]"#, &["must be a JSON object"]),
    ("\"owner\"", &["must be a JSON object"]),
    ("null", &["must be a JSON object"]),
    ("owner=me&timeout=30", &["must be a JSON object"]),
];

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let (api, resource) = (Replica::shared().await, name("malformed"));
    let lock = api.granted(&resource, "me", 30).await;
    let path = lock_path(&resource);
    let before = all_of(&resource);
    for (method, path) in [
        (Method::POST, path.clone()),
        (Method::PUT, format!("{path}/{}", token(&lock))),
        (Method::POST, format!("{path}/break")),
    ] {
        for (body, says) in MALFORMED {
            let answer = api.send(method.clone(), &path, &[], Some(body.into())).await;
            refused(&answer, 400, "invalid_request", &[&["body"], says].concat());
        }
    }
    assert_eq!(all_of(&resource), before);
}

#[tokio::test]
async fn acquire_and_extend_need_a_body() {
    let (api, resource) = (Replica::shared().await, name("bodiless"));
    let path = lock_path(&resource);
    for (method, path) in
        [(Method::POST, path.clone()), (Method::PUT, format!("{path}/00000000-0000-4000-8000-000000000000"))]
    {
        let answer = api.send(method, &path, &[], None).await;
        refused(&answer, 400, "invalid_request", &["The body is empty", r#"{"owner":"me","timeout":30}"#]);
    }
    assert_eq!(api.state(&resource).await["held"], false);
}

#[tokio::test]
async fn unknown_fields_and_fields_that_come_twice_are_named() {
    let (api, resource) = (Replica::shared().await, name("unknown"));
    let lock = api.granted(&resource, "me", 30).await;
    let path = lock_path(&resource);
    let before = all_of(&resource);
    let known = "known are owner, timeout, metadata";
    let acquire = |body| (Method::POST, path.clone(), body);
    for ((method, path, body), says) in [
        (
            acquire(r#"{"owner":"me","tiemout":1,"timeout":30,"colour":{},"":null}"#),
            ["unknown fields", "\"tiemout\"", "\"colour\"", "\"\"", known],
        ),
        (acquire(r#"{"Owner":"me","owner":"me","timeout":30}"#), ["unknown fields", "\"Owner\"", known, "", ""]),
        (acquire(r#"{"owner":"me","timeout":30,"timeout":40}"#), ["more than one field", "\"timeout\"", "", "", ""]),
        (acquire(r#"{"owner":"me","timeout":30,"\u006fwner":"me"}"#), ["more than one field", "\"owner\"", "", "", ""]),
        (
            (Method::PUT, format!("{path}/{}", token(&lock)), r#"{"timeout":60,"owner":"me"}"#),
            ["unknown fields", "\"owner\"", "known are timeout", "", ""],
        ),
        (
            (Method::PUT, format!("{path}/{}", token(&lock)), r#"{"timeout":60,"timeout":60}"#),
            ["more than one field", "\"timeout\"", "", "", ""],
        ),
        (
            (Method::POST, format!("{path}/break"), r#"{"owner":"me","fense":1}"#),
            ["unknown fields", "\"owner\"", "\"fense\"", "known are fence, reason", ""],
        ),
        (
            (Method::POST, format!("{path}/break"), r#"{"fence":1,"fence":2}"#),
            ["more than one field", "\"fence\"", "", "", ""],
        ),
    ] {
        let answer = api.send(method, &path, &[], Some(body.into())).await;
        refused(&answer, 400, "invalid_request", &says);
    }
    assert_eq!(all_of(&resource), before);
}

#[tokio::test]
async fn a_body_that_is_not_utf_8_is_refused() {
    let (api, resource) = (Replica::shared().await, name("latin-1"));
    let body = b"{\"owner\":\"Andr\xe9\",\"timeout\":30}";
    let headers = "Host: localhost\r\nConnection: close\r\nContent-Type: application/json";
    let mut request =
        format!("POST {} HTTP/1.1\r\n{headers}\r\nContent-Length: {}\r\n\r\n", lock_path(&resource), body.len())
            .into_bytes();
    request.extend(body);
    let answer = api.raw(&request).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("not valid JSON"), "{answer}");
    assert_eq!(api.state(&resource).await["held"], false);
}

#[tokio::test]
async fn another_content_type_than_json_is_a_415() {
    let (api, resource) = (Replica::shared().await, name("types"));
    let lock = api.granted(&resource, "me", 30).await;
    let path = lock_path(&resource);
    let before = all_of(&resource);
    let valid = r#"{"timeout":60}"#.to_string();
    for (method, path) in [
        (Method::POST, path.clone()),
        (Method::PUT, format!("{path}/{}", token(&lock))),
        (Method::POST, format!("{path}/break")),
    ] {
        for given in
            ["text/plain", "text/json", "application/x-www-form-urlencoded", "application/jsonp", "json", "", "é/é"]
        {
            let answer = api.send(method.clone(), &path, &[("Content-Type", given)], Some(valid.clone())).await;
            refused(&answer, 415, "unsupported_media_type", &["Content-Type", "must be application/json"]);
        }
    }
    assert_eq!(all_of(&resource), before);
}

#[tokio::test]
async fn every_way_to_say_json_is_taken_as_json() {
    let api = Replica::shared().await;
    for given in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON ;charset=utf-8",
        "application/merge-patch+json",
    ] {
        let body = json!({ "owner": "me", "timeout": 30 });
        let answer = api.acquire_with(&name("json"), &body, &[("Content-Type", given)]).await;
        assert_eq!(answer.status, 200, "{given}: {answer:?}");
    }
}

/// A browser lets a page of any site send a body without a type.
#[tokio::test]
async fn a_body_without_a_content_type_is_a_415_also_where_it_comes_in_chunks() {
    let (api, resource) = (Replica::shared().await, name("untyped"));
    let lock = api.granted(&resource, "me", 30).await;
    let (free, path) = (name("untyped-free"), lock_path(&resource));
    let before = all_of(&resource);
    for (line, body) in [
        (format!("POST {}", lock_path(&free)), r#"{"owner":"me","timeout":30}"#),
        (format!("PUT {path}/{}", token(&lock)), r#"{"timeout":60}"#),
        (format!("DELETE {path}/{}", token(&lock)), "{}"),
        (format!("POST {path}/break"), "{}"),
    ] {
        let head = format!("{line} HTTP/1.1\r\nHost: localhost");
        let (status, error) = raw_head(&api, &head, body).await;
        refused_json(status, &error, 415, "unsupported_media_type", &["no Content-Type", "must be application/json"]);
        let chunked = format!(
            "{head}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        );
        let answer = api.raw(chunked.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 415 "), "{line}: {answer}");
    }
    assert_eq!(all_of(&resource), before);
    assert_eq!(api.state(&free).await["held"], false);
    // A request without a body needs no type.
    let (status, broken) = raw_head(&api, &format!("POST {path}/break HTTP/1.1\r\nHost: localhost"), "").await;
    assert_eq!((status, &broken["fence"]), (200, &lock["fence"]), "{broken}");
}

#[tokio::test]
async fn a_compressed_body_is_a_415_and_identity_is_none() {
    let (api, resource) = (Replica::shared().await, name("encoded"));
    let lock = api.granted(&resource, "me", 30).await;
    let (path, valid) = (lock_path(&resource), r#"{"timeout":60}"#);
    let before = all_of(&resource);
    for (method, path) in [
        (Method::POST, path.clone()),
        (Method::PUT, format!("{path}/{}", token(&lock))),
        (Method::DELETE, format!("{path}/{}", token(&lock))),
        (Method::POST, format!("{path}/break")),
    ] {
        for given in ["gzip", "GZIP", "br", "identity, gzip", "é"] {
            let answer = api.send(method.clone(), &path, &[("Content-Encoding", given)], Some(valid.into())).await;
            refused(&answer, 415, "unsupported_media_type", &["Content-Encoding", "uncompressed"]);
        }
    }
    assert_eq!(all_of(&resource), before);
    for given in ["identity", "Identity"] {
        let body = json!({ "owner": "me", "timeout": 30 });
        let answer = api.acquire_with(&name("identity"), &body, &[("Content-Encoding", given)]).await;
        assert_eq!(answer.status, 200, "{given}: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_may_have_16_kib_and_not_a_byte_more() {
    let (api, resource) = (Replica::shared().await, name("long"));
    let body = |length: usize| Some(format!("{:<length$}", r#"{"owner":"me","timeout":30}"#));
    let answer = api.send(Method::POST, &lock_path(&resource), &[], body(16 * 1024 + 1)).await;
    refused(&answer, 413, "body_too_large", &["body", "at most 16384 bytes"]);
    assert_eq!(api.state(&resource).await["held"], false);
    assert_eq!(api.send(Method::POST, &lock_path(&resource), &[], body(16 * 1024)).await.status, 200);
}
