//! Which host a request is for. A page whose name was made to lead to this machine (DNS rebinding) has its own name as
//! the host, so a replica that listens on the loopback serves only the hosts of the loopback.

use serde_json::Value;

use super::{all_of, raw_head, refused_json};
use crate::harness::{Api, Redis, Replica, lock_path, name, token};

const LOOPBACK: [&str; 13] = [
    "127.0.0.1",
    "127.0.0.1:4000",
    "127.9.8.7:1",
    "localhost",
    "LocalHost:80",
    "localhost.",
    "localhost:",
    "app.localhost:3000",
    "a.b.localhost",
    "[::1]",
    "[::1]:4000",
    "[0:0:0:0:0:0:0:1]:4000",
    "[::ffff:127.0.0.1]:4000",
];

const OTHERS: [&str; 11] = [
    "evil.test",
    "evil.test:4000",
    "localhost.evil.test",
    "127.0.0.1.evil.test:4000",
    "notlocalhost",
    "localhost-evil.test",
    "0.0.0.0:4000",
    "10.0.0.1",
    "[::2]:4000",
    "[::ffff:10.0.0.1]",
    "xn--bcher-kva.example",
];

/// A request with any headers and no body.
async fn ask(api: &Api, line: &str, headers: &[&str]) -> (u16, Value) {
    let head: String = headers.iter().map(|header| format!("\r\n{header}")).collect();
    raw_head(api, &format!("{line}{head}"), "").await
}

async fn ask_as(api: &Api, host: &str) -> u16 {
    ask(api, "GET /_health HTTP/1.1", &[&format!("Host: {host}")]).await.0
}

async fn with(settings: &[(&str, &str)]) -> Replica {
    Replica::with(&Redis::shared().url(), settings).await
}

#[tokio::test]
async fn on_the_loopback_no_other_host_is_served_whatever_is_asked() {
    let (api, resource) = (Replica::shared().await, name("rebound"));
    let lock = api.granted(&resource, "me", 30).await;
    let path = lock_path(&resource);
    let before = all_of(&resource);
    for host in LOOPBACK {
        assert_eq!(ask_as(&api, host).await, 200, "{host}");
    }
    for host in OTHERS {
        for line in [
            "GET /_health",
            "GET /_ready",
            "GET /openapi.json",
            "GET /api/v1/locks",
            "GET /nothing",
            &format!("GET {path}"),
            &format!("GET {path}/{}", token(&lock)),
            &format!("DELETE {path}/{}", token(&lock)),
            &format!("POST {path}/break"),
            "OPTIONS /_health",
        ] {
            let (status, error) = ask(&api, &format!("{line} HTTP/1.1"), &[&format!("Host: {host}")]).await;
            refused_json(status, &error, 421, "host_not_allowed", &["localhost", "server.allowed_hosts"]);
        }
    }
    assert_eq!(all_of(&resource), before);
    let problem = ask(&api, "GET /_health HTTP/1.1", &["Host: evil.test", "Accept: application/problem+json"]).await;
    assert_eq!((problem.0, &problem.1["code"]), (421, &"host_not_allowed".into()));
}

#[tokio::test]
async fn what_a_request_line_names_is_its_host_in_place_of_the_header() {
    let api = Replica::shared().await;
    let ask = async |target: &str, host: &str| {
        ask(&api, &format!("GET {target} HTTP/1.1"), &[&format!("Host: {host}")]).await.0
    };
    assert_eq!(ask("http://localhost:4000/_health", "localhost:4000").await, 200);
    assert_eq!(ask("http://evil.test/_health", "localhost").await, 421);
    assert_eq!(ask("http://evil.test:4000/_health", "evil.test:4000").await, 421);
    assert_eq!(ask("http://localhost/_health", "evil.test").await, 200);
    assert_eq!(ask("http://localhost@evil.test/_health", "localhost").await, 400);
}

#[tokio::test]
async fn a_request_names_exactly_one_host_that_can_be_one() {
    let (api, resource) = (Replica::shared().await, name("hostless"));
    let lock = api.granted(&resource, "me", 30).await;
    let break_it = format!("POST {}/break", lock_path(&resource));
    for line in ["GET /_health", "GET http://localhost/_health", &break_it] {
        for headers in [&[][..], &["Host: localhost", "Host: localhost"], &["Host: localhost", "host: evil.test"]] {
            let (status, error) = ask(&api, &format!("{line} HTTP/1.1"), headers).await;
            refused_json(status, &error, 400, "invalid_request", &["Host", "exactly once"]);
            assert_eq!(error["field"], "Host");
        }
    }
    for host in [
        "",
        "localhost evil.test",
        "localhost, evil.test",
        "user@localhost",
        "localhost/path",
        "http://localhost",
        "localhost:port",
        "localhost:+80",
        "localhost:65536",
        "::1",
        "[::1",
        "[::1]x",
        "[localhost]",
        "é",
    ] {
        let (status, error) = ask(&api, "GET /_health HTTP/1.1", &[&format!("Host: {host}")]).await;
        refused_json(status, &error, 400, "invalid_request", &["Host must be"]);
    }
    // No browser sends HTTP/1.0, and load balancers ask with it whether a replica is ready.
    assert_eq!(ask(&api, "GET /_ready HTTP/1.0", &[]).await.0, 200);
    assert_eq!(ask(&api, "GET /_ready HTTP/1.0", &["Host: evil.test"]).await.0, 421);
    assert_eq!(ask(&api, "GET /_ready HTTP/1.0", &["Host: localhost", "Host: localhost"]).await.0, 400);
    assert_eq!(api.status(&resource, token(&lock)).await.status, 200);
}

#[tokio::test]
async fn a_host_that_the_settings_name_is_served_too() {
    let replica = with(&[("GORILLA__SERVER__ALLOWED_HOSTS", "Locks.Example.com, 10.0.0.5,::2")]).await;
    for host in ["locks.example.com", "LOCKS.example.com.:8443", "10.0.0.5:4000", "[::2]", "localhost"] {
        assert_eq!(ask_as(&replica.api, host).await, 200, "{host}");
    }
    for host in ["example.com", "a.locks.example.com", "10.0.0.6", "evil.test"] {
        assert_eq!(ask_as(&replica.api, host).await, 421, "{host}");
    }
}

#[tokio::test]
async fn on_other_addresses_every_host_is_served_until_the_settings_name_some() {
    let everywhere = ("GORILLA__SERVER__LISTEN", "0.0.0.0:0");
    let for_all = ("GORILLA__AUTH__MODE", "none");
    let open = with(&[everywhere, for_all]).await;
    for host in LOOPBACK.iter().chain(&OTHERS) {
        assert_eq!(ask_as(&open.api, host).await, 200, "{host}");
    }
    assert_eq!(ask(&open.api, "GET /_health HTTP/1.1", &[]).await.0, 400);
    let named = with(&[everywhere, for_all, ("GORILLA__SERVER__ALLOWED_HOSTS", "locks.example.com")]).await;
    for host in LOOPBACK.iter().chain(&["locks.example.com:4000"]) {
        assert_eq!(ask_as(&named.api, host).await, 200, "{host}");
    }
    for host in OTHERS {
        assert_eq!(ask_as(&named.api, host).await, 421, "{host}");
    }
}
