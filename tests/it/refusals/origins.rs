//! Writes that a browser sends for a page of another site. What a real browser sends is tried in `browsers`.

use reqwest::Method;

use super::{all_of, refused};
use crate::harness::{Api, Replica, lock_path, name, token};

const ACQUIRE: &str = r#"{"owner":"me","timeout":30}"#;

fn own_origin(api: &Api) -> String {
    format!("http://{}", api.address)
}

#[tokio::test]
async fn a_write_for_a_page_of_another_origin_is_refused_and_a_read_is_not() {
    let (api, resource) = (Replica::shared().await, name("foreign"));
    let lock = api.granted(&resource, "me", 30).await;
    let (free, path) = (name("foreign-free"), lock_path(&resource));
    let by_token = format!("{path}/{}", token(&lock));
    let before = all_of(&resource);
    let own = own_origin(&api);
    let (secure, behind) = (own.replace("http:", "https:").replace("127.0.0.1", "localhost"), format!("{own}/"));
    for headers in [
        &[("Sec-Fetch-Site", "cross-site")][..],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "")],
        &[("Sec-Fetch-Site", "something-new")],
        &[("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", "http://evil.test")],
        &[("Origin", "null")],
        &[("Origin", "")],
        &[("Origin", "http://127.0.0.1:1")],
        &[("Origin", "http://127.0.0.1")],
        &[("Origin", "https://127.0.0.1")],
        &[("Origin", &secure)],
        &[("Origin", &behind)],
        &[("Origin", &api.address)],
        &[("Origin", "file://")],
        &[("Origin", "chrome-extension://abcdefghijklmnop")],
        &[("Origin", &own), ("Origin", "http://evil.test")],
        &[("Origin", &own), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", "http://evil.test"), ("Sec-Fetch-Site", "same-origin")],
    ] {
        for (method, path, body) in [
            (Method::POST, &lock_path(&free), Some(ACQUIRE)),
            (Method::PUT, &by_token, Some(r#"{"timeout":60}"#)),
            (Method::DELETE, &by_token, None),
            (Method::POST, &format!("{path}/break"), None),
            (Method::PATCH, &path, None),
        ] {
            let answer = api.send(method, path, headers, body.map(String::from)).await;
            refused(&answer, 403, "cross_origin", &["browser", "another site"]);
        }
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let answer = api.send(method.clone(), &path, headers, None).await;
            assert!(answer.status < 300, "{method}: {answer:?}");
        }
    }
    assert_eq!(all_of(&resource), before);
    assert_eq!(api.state(&free).await["held"], false);
}

#[tokio::test]
async fn a_write_for_a_page_of_the_same_origin_or_for_a_person_is_served() {
    let api = Replica::shared().await;
    let own = own_origin(&api);
    for headers in [
        &[("Sec-Fetch-Site", "same-origin"), ("Origin", own.as_str())][..],
        &[("Sec-Fetch-Site", "none")],
        &[("Origin", &own)],
        // The port that a scheme has by itself may be named or left out.
        &[("Host", "localhost"), ("Origin", "http://localhost:80")],
        &[("Host", "localhost:443"), ("Origin", "https://localhost")],
        &[("Host", "LOCALHOST.:4000"), ("Origin", "http://localhost:4000")],
    ] {
        let answer = api.acquire_with(&name("own"), &serde_json::from_str(ACQUIRE).expect("JSON"), headers).await;
        assert_eq!(answer.status, 200, "{headers:?}: {answer:?}");
    }
}

/// As curl sends it.
#[tokio::test]
async fn a_break_without_a_body_and_without_the_headers_of_browsers_is_served() {
    let (api, resource) = (Replica::shared().await, name("curl"));
    let lock = api.granted(&resource, "me", 30).await;
    let answer = api.send(Method::POST, &format!("{}/break", lock_path(&resource)), &[], None).await;
    assert_eq!((answer.status, &answer.json()["fence"]), (200, &lock["fence"]), "{answer:?}");
}
