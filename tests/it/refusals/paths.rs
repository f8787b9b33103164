//! Names of resources and tokens that break their rules.

use super::{raw, refused, refused_json};
use crate::harness::{Redis, Replica, name, token};

#[tokio::test]
async fn names_out_of_their_rules_are_refused_by_every_operation() {
    let api = Replica::shared().await;
    let (longer, longest, wide) = ("x".repeat(257), "x".repeat(300), "%E9%94%81".repeat(86));
    let control: &[&str] = &["control characters"];
    let slash: &[&str] = &["must not contain \"/\"", "%2F"];
    let dots: &[&str] = &["must not be \".\" or \"..\""];
    for (segment, says) in [
        ("%2F", slash),
        ("a%2fb", slash),
        ("%00", control),
        ("a%00", control),
        ("a%0Ab", control),
        ("%09", control),
        ("%7F", control),
        ("%C2%85", control),
        ("%FF", &["UTF-8"]),
        ("%C3%28", &["UTF-8"]),
        ("%ED%A0%80", &["UTF-8"]),
        ("..", dots),
        (".", dots),
        ("%2E%2e", dots),
        (".%2E", dots),
        ("%2e", dots),
        (&longer, &["257 bytes", "1 to 256 bytes"]),
        (&longest, &["300 bytes", "1 to 256 bytes"]),
        (&wide, &["258 bytes", "1 to 256 bytes"]),
    ] {
        let token = "00000000-0000-4000-8000-000000000000";
        for (method, end, body) in [
            ("POST", String::new(), r#"{"owner":"me","timeout":30}"#),
            ("GET", String::new(), ""),
            ("PUT", format!("/{token}"), r#"{"timeout":30}"#),
            ("DELETE", format!("/{token}"), ""),
            ("GET", format!("/{token}"), ""),
            ("POST", "/break".into(), "{}"),
        ] {
            let (status, error) = raw(&api, &format!("{method} /api/v1/locks/{segment}{end} HTTP/1.1"), body).await;
            refused_json(status, &error, 400, "invalid_request", says);
            assert_eq!(error["field"], "resource", "{method} {segment}{end}");
            assert!(error["errorMessage"].as_str().is_some_and(|message| message.starts_with("resource ")), "{error}");
        }
    }
    // None of the names that are not too long became a key after all.
    for start in ["/", "%2F", ".}", "..}", "a/b", "x:"] {
        assert_eq!(Redis::shared().cli(&["KEYS", &format!("gorilla:{{{start}*")]), "", "{start}");
    }
}

#[tokio::test]
async fn braces_and_an_emoji_are_names_like_any_other() {
    let api = Replica::shared().await;
    for end in ["%7B%7D", "%7b", "%F0%9F%A6%8D", "%25", "a%20b", "...", ".a", "%2E%2E%2E"] {
        let head = format!("POST /api/v1/locks/{}{end} HTTP/1.1", name("fine"));
        let (status, lock) = raw(&api, &head, r#"{"owner":"me","timeout":30}"#).await;
        assert_eq!(status, 200, "{end}: {lock}");
    }
}

#[tokio::test]
async fn a_token_that_is_no_uuid_is_nobodys() {
    let (api, resource) = (Replica::shared().await, name("no-uuid"));
    let lock = api.granted(&resource, "me", 30).await;
    // The last text is what Gorilla itself puts in place of such a token.
    for other in ["x", "123", "00000000-0000-4000-8000-00000000000", "%00", "%FF", "%F0%9F%A6%8D", "-"] {
        let path = format!("/api/v1/locks/{resource}/{other}");
        refused(&api.get(&path).await, 404, "token_not_found", &[&resource, "a token is a UUID"]);
        let answer = api.send(reqwest::Method::DELETE, &path, &[], None).await;
        refused(&answer, 404, "token_not_found", &[&resource, "a token is a UUID"]);
        let answer = api.send(reqwest::Method::PUT, &path, &[], Some(r#"{"timeout":60}"#.into())).await;
        refused(&answer, 409, "token_mismatch", &[&resource, "another token"]);
    }
    assert_eq!(api.status(&resource, token(&lock)).await.json()["expireAt"], lock["expireAt"]);
}
