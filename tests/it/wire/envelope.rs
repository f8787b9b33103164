//! What is around the operations: methods, paths, both forms of an error, ids of requests, health.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::fields;
use crate::harness::{Replica, eventually, lock_path, name, token};

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let (api, resource) = (Replica::shared().await, name("head"));
    let lock = api.granted(&resource, "me", 30).await;
    let path = lock_path(&resource);
    let by_token = format!("{path}/{}", token(&lock));
    let wrong = format!("{path}/{}", lock["id"].as_str().unwrap_or_default());
    for path in [
        &path,
        &by_token,
        &wrong,
        "/api/v1/locks",
        "/api/v1/locks?limit=0",
        "/_health",
        "/_ready",
        "/openapi.json",
        "/docs",
        "/docs/start.js",
        "/nothing",
    ] {
        let (head, get) = (api.send(Method::HEAD, path, &[], None).await, api.get(path).await);
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

/// Each path with its methods.
fn routes() -> [(&'static str, &'static [&'static str]); 9] {
    [
        ("/api/v1/locks", &["GET", "HEAD", "POST"]),
        ("/api/v1/locks/a", &["DELETE", "GET", "HEAD", "POST", "PUT"]),
        ("/api/v1/locks/a/00000000-0000-4000-8000-000000000000", &["DELETE", "GET", "HEAD", "PUT"]),
        ("/api/v1/locks/a/break", &["POST"]),
        ("/_health", &["GET", "HEAD"]),
        ("/_ready", &["GET", "HEAD"]),
        ("/openapi.json", &["GET", "HEAD"]),
        ("/docs", &["GET", "HEAD"]),
        ("/docs/start.js", &["GET", "HEAD"]),
    ]
}

fn allowed(value: Option<&str>) -> Vec<&str> {
    let mut methods: Vec<_> = value.unwrap_or_default().split(',').map(str::trim).collect();
    methods.sort_unstable();
    methods
}

#[tokio::test]
async fn options_lists_the_methods_of_a_path() {
    let api = Replica::shared().await;
    for (path, methods) in routes() {
        let answer = api.send(Method::OPTIONS, path, &[], None).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{path}");
        assert_eq!(allowed(answer.header("allow")), methods, "{path}");
    }
}

#[tokio::test]
async fn another_method_is_a_405_in_json_with_those_allowed() {
    let api = Replica::shared().await;
    for (path, methods) in routes() {
        for method in
            ["PATCH", "POST", "PUT", "DELETE", "GET", "GORILLA"].iter().filter(|other| !methods.contains(other))
        {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let answer = api.send(method.clone(), path, &[], None).await;
            assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"), "{method} {path}");
            assert_eq!(allowed(answer.header("allow")), methods, "{method} {path}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_a_404_in_json() {
    let api = Replica::shared().await;
    for path in ["/api", "/api/v1", "/api/v1/locks/", "/api/v1/locks/a/b/c", "/api/v2/locks/a", "/_health/x", "/%FF"] {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
            let answer = api.send(method.clone(), path, &[], None).await;
            assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{method} {path}");
            assert_eq!(answer.json()["outcome"], "not_executed");
        }
    }
}

#[tokio::test]
async fn both_forms_of_an_error_have_the_same_facts() {
    let (api, resource) = (Replica::shared().await, name("forms"));
    api.granted(&resource, "me", 30).await;
    let path = lock_path(&resource);
    for (method, path, body) in [
        (Method::POST, path.as_str(), r#"{"owner":"me","timeout":30}"#),
        (Method::POST, &path, r#"{"owner":"me","timeout":0}"#),
        (Method::POST, &path, "[]"),
        (Method::DELETE, &path, ""),
        (Method::PATCH, &path, ""),
        (Method::GET, "/nothing", ""),
        (Method::GET, "/api/v1/locks/a/no-uuid", ""),
    ] {
        let send = async |accept: &str| {
            let body = (!body.is_empty()).then(|| body.to_string());
            let headers = [("Accept", accept)];
            api.send(method.clone(), path, if accept.is_empty() { &[] } else { &headers }, body).await
        };
        for accept in ["", "*/*", "application/json", "text/html", "application/problem+xml"] {
            let plain = send(accept).await;
            assert_eq!(plain.header("content-type"), Some("application/json"), "{method} {path} {accept}");
            assert!(plain.json()["errorMessage"].is_string(), "{plain:?}");
        }
        for accept in
            ["application/problem+json", "Application/Problem+JSON;q=0.9", "application/json, application/problem+json"]
        {
            let (plain, problem) = (send("application/json").await, send(accept).await);
            assert_eq!(problem.status, plain.status);
            assert_eq!(problem.header("content-type"), Some("application/problem+json"), "{method} {path} {accept}");
            let (mut plain, mut problem) = (plain.json(), problem.json());
            let code = plain["code"].as_str().unwrap_or_default().to_string();
            assert_eq!(problem["type"], format!("urn:gorilla:problem:{code}"));
            assert_eq!(problem["status"], send(accept).await.status);
            assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{problem}");
            // What is left must be the same; the time left may have passed meanwhile, also in the sentence.
            for (body, own) in
                [(&mut plain, &["errorMessage"][..]), (&mut problem, &["type", "status", "title", "detail"])]
            {
                let body = body.as_object_mut().expect("an object");
                own.iter().for_each(|name| assert!(body.remove(*name).is_some(), "{name}"));
                body.entry("ttlMs").and_modify(|ttl| *ttl = Value::Null);
            }
            assert_eq!(plain, problem);
        }
    }
}

#[tokio::test]
async fn the_id_of_a_request_is_the_clients_where_it_is_fit_and_made_where_not() {
    let replica = Replica::start().await;
    let api = &replica.api;
    let longest = "x".repeat(128);
    for given in ["a", "5f0c-17", "trace/1:2;3=4", &longest] {
        for path in ["/_health", "/nothing", "/api/v1/locks/a/no-uuid"] {
            let answer = api.send(Method::GET, path, &[("X-Request-Id", given)], None).await;
            assert_eq!(answer.header("x-request-id"), Some(given), "{path}");
        }
    }
    let mut made = Vec::new();
    let too_long = "x".repeat(129);
    for garbage in [None, Some(""), Some("two words"), Some("é"), Some("a\tb"), Some(&too_long)] {
        let headers: Vec<_> = garbage.map(|garbage| ("X-Request-Id", garbage)).into_iter().collect();
        let answer = api.send(Method::GET, "/_health", &headers, None).await;
        let id = answer.header("x-request-id").expect("an id").to_string();
        assert!(Uuid::parse_str(&id).is_ok(), "{garbage:?} became {id}");
        assert!(!made.contains(&id), "an id came twice");
        made.push(id);
    }
    eventually("every request has its line in the log", std::time::Duration::from_secs(5), || async {
        let log = replica.log();
        made.iter()
            .map(String::as_str)
            .chain(["trace/1:2;3=4"])
            .all(|id| log.contains(&format!("\"request_id\":\"{id}\"")))
    })
    .await;
    let log = replica.log();
    let line = log.lines().find(|line| line.contains("5f0c-17") && line.contains("404")).expect("its line");
    let line: Value = serde_json::from_str(line).expect("a line is JSON");
    assert_eq!((&line["method"], &line["status"], &line["outcome"]), (&json!("GET"), &json!(404), &json!("not_found")));
    assert!(line["duration_us"].is_u64() && line["route"].is_string(), "{line}");
}

#[tokio::test]
async fn health_and_readiness_are_json() {
    let api = Replica::shared().await;
    let (health, ready) = (api.get("/_health").await, api.get("/_ready").await);
    assert_eq!((health.status, ready.status), (200, 200));
    assert_eq!(health.json(), json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }));
    assert_eq!(ready.json(), json!({ "status": "ready" }));
    assert_eq!(fields(&health.json()), "status version");
}
