//! How a request presents its key, and what is not a key.

use super::{everything, guarded};
use crate::harness::{AccessFile, Answer, Key, Method, Replica, key_entry, lock_path, name};

async fn replica_of(key: &Key, more: &str) -> (Replica, AccessFile) {
    let file = AccessFile::new(&(everything("all") + &key_entry("ops", "all", key, more)));
    (guarded(&file).await, file)
}

async fn ask(replica: &Replica, headers: &[(&str, &str)]) -> Answer {
    replica.api.send(Method::GET, &lock_path("anything"), headers, None).await
}

#[track_caller]
fn unauthorized(answer: &Answer, code: &str, challenge: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (401, code), "{answer:?}");
    assert_eq!(answer.header("www-authenticate"), Some(challenge), "{answer:?}");
    assert_eq!(answer.json()["outcome"], "not_executed");
}

const ASKED: &str = r#"Bearer realm="gorilla""#;
const INVALID: &str = r#"Bearer realm="gorilla", error="invalid_token""#;

#[tokio::test]
async fn a_request_without_a_key_is_asked_for_one_and_only_what_is_public_is_served() {
    let (replica, _file) = replica_of(&Key::new("ops"), "").await;
    for (method, path) in [
        (Method::GET, lock_path("stock")),
        (Method::HEAD, lock_path("stock")),
        (Method::POST, lock_path("stock")),
        (Method::PUT, lock_path("stock")),
        (Method::DELETE, lock_path("stock")),
        (Method::GET, "/api/v1/locks".into()),
        (Method::POST, "/api/v1/batch".into()),
        (Method::POST, format!("{}/break", lock_path("stock"))),
    ] {
        let answer = replica.api.send(method.clone(), &path, &[], None).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(ASKED)), "{method} {path}");
        if method != Method::HEAD {
            unauthorized(&answer, "authentication_required", ASKED);
        }
    }
    for path in ["/_health", "/_ready", "/openapi.json", "/docs", "/docs/start.js"] {
        assert_eq!(replica.api.get(path).await.status, 200, "{path}");
    }
    // What is not there needs no key.
    assert_eq!(replica.api.get("/nothing").await.status, 404);
    assert_eq!(replica.api.send(Method::PATCH, &lock_path("stock"), &[], None).await.status, 405);
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = replica.api.send(method, &format!("{}/break", lock_path("stock")), &[], None).await;
        assert!([401, 405].contains(&answer.status), "{answer:?}");
    }
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case_and_spaces_around_the_key_are_nothing() {
    let key = Key::new("ops");
    let (replica, _file) = replica_of(&key, "").await;
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer  "] {
        let answer = ask(&replica, &[("Authorization", &format!("{scheme} {}", key.text))]).await;
        assert_eq!(answer.status, 200, "{scheme}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_not_a_valid_key_is_refused_and_says_why() {
    let key = Key::new("ops");
    let (replica, _file) = replica_of(&key, "").await;
    let mut typing_error = key.text.clone();
    typing_error.replace_range(20..21, "x");
    let other = Key::new("somebodyelse");
    let long = "x".repeat(8 * 1024);
    for (given, says) in [
        (format!("Bearer {}", other.text), "no key of this replica is like it"),
        (format!("Bearer {typing_error}"), "checksum"),
        (format!("Bearer {}", &key.text[..key.text.len() - 1]), "form"),
        (format!("Bearer {}0", key.text), "form"),
        ("Bearer ".into(), "must be"),
        ("Bearer".into(), "must be"),
        (format!("Basic {}", key.text), "must be"),
        (key.text.clone(), "must be"),
        (format!("Bearer {long}"), "form"),
        (format!("Bearer {}", key.hash), "form"),
    ] {
        let answer = ask(&replica, &[("Authorization", &given)]).await;
        unauthorized(&answer, "invalid_key", INVALID);
        let message = answer.json()["errorMessage"].to_string();
        assert!(message.contains(says), "{given}: {message}");
        assert!(!message.contains(&key.text[20..40]), "{message}");
    }
    let log = replica.log();
    assert!(!log.contains(&key.text[18..40]) && !log.contains(&other.text[18..40]), "{log}");
}

#[tokio::test]
async fn two_headers_and_a_key_in_the_query_are_refused_whatever_they_say() {
    let key = Key::new("ops");
    let (replica, _file) = replica_of(&key, "").await;
    let bearer = key.bearer();
    let twice = ask(&replica, &[("Authorization", &bearer), ("authorization", &bearer)]).await;
    assert_eq!((twice.status, twice.code().as_str()), (400, "invalid_request"), "{twice:?}");
    for path in [format!("{}?access_token={}", lock_path("stock"), key.text), "/api/v1/locks?access_token=".into()] {
        let answer = replica.api.send(Method::GET, &path, &[("Authorization", &bearer)], None).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{answer:?}");
    }
    assert!(!replica.log().contains(&key.text[18..40]));
}

#[tokio::test]
async fn a_body_is_not_read_before_the_key() {
    let (replica, _file) = replica_of(&Key::new("ops"), "").await;
    // The body never comes.
    let head = "POST /api/v1/locks/stock HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 16384\r\nConnection: close\r\n\r\n";
    let begun = std::time::Instant::now();
    let answer = replica.api.raw(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(begun.elapsed().as_secs() < 5, "the time-out of bodies is 10 s");
}

#[tokio::test]
async fn a_replica_without_an_access_file_serves_requests_whatever_key_they_have() {
    let caller = Replica::shared().await.with_key(&Key::new("any"));
    assert_eq!(caller.acquire(&name("open"), "me", 5).await.status, 200);
}

#[test]
fn gorilla_does_not_serve_other_machines_unless_it_is_told_how() {
    let config = |settings: &[(&str, &str)]| {
        let mut command = std::process::Command::new(Replica::program());
        let done = command.args(["config", "check"]).envs(settings.iter().copied()).output().expect("gorilla runs");
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (listen, file) = ("GORILLA__SERVER__LISTEN", AccessFile::new(&everything("all")));
    let path = file.path();
    let auth = ("GORILLA__AUTH__FILE", path.to_str().expect("UTF-8"));
    for listen in [(listen, "0.0.0.0:4000"), (listen, "[::]:4000"), (listen, "10.0.0.5:4000")] {
        let (code, says) = config(&[listen]);
        assert_eq!(code, Some(78), "{says}");
        assert!(says.contains("auth.file") && says.contains("auth.mode") && says.contains("none"), "{says}");
        assert_eq!(config(&[listen, ("GORILLA__AUTH__MODE", "none")]).0, Some(0));
    }
    assert_eq!(config(&[(listen, "127.0.0.1:4000")]).0, Some(0));
    let (code, says) = config(&[auth, ("GORILLA__AUTH__MODE", "none")]);
    assert!(code == Some(78) && says.contains("leave one of them out"), "{says}");
    let (code, says) = config(&[("GORILLA__AUTH__MODE", "file")]);
    assert!(code == Some(78) && says.contains("auth.file is missing"), "{says}");
    file.write("[[role]]\nname = \"A\"\nrules = []\n");
    let (code, says) = config(&[auth]);
    assert!(code == Some(78) && says.contains("the access file is wrong"), "{says}");
}
