//! Parameters that come twice, and parameters of paths that take none.

use reqwest::Method;

use super::{all_of, refused};
use crate::harness::{Replica, lock_path, name, token};

#[tokio::test]
async fn a_parameter_of_the_list_that_comes_twice_is_named() {
    let api = Replica::shared().await;
    for (query, field) in [
        ("limit=5&limit=6", "limit"),
        ("limit=5&limit=5", "limit"),
        ("limit=5&prefix=a&%6cimit=5", "limit"),
        ("prefix=a&prefix=b", "prefix"),
        ("prefix=&prefix=", "prefix"),
        ("cursor=&cursor=", "cursor"),
        ("cursor=0-8&cursor=", "cursor"),
    ] {
        let answer = api.get(&format!("/api/v1/locks?{query}")).await;
        refused(&answer, 400, "invalid_request", &[field, "must not come more than once"]);
        assert_eq!(answer.json()["field"], field, "{query}");
    }
    assert_eq!(api.get("/api/v1/locks?limit=5&prefix=a&cursor=").await.status, 200);
}

#[tokio::test]
async fn a_request_about_one_lock_takes_no_parameters() {
    let (api, resource) = (Replica::shared().await, name("query"));
    let lock = api.granted(&resource, "me", 30).await;
    let (free, path) = (name("query-free"), lock_path(&resource));
    let by_token = format!("{path}/{}", token(&lock));
    let before = all_of(&resource);
    for (method, path, body) in [
        (Method::POST, &lock_path(&free), Some(r#"{"owner":"me","timeout":30}"#)),
        (Method::GET, &by_token, None),
        (Method::PUT, &by_token, Some(r#"{"timeout":60}"#)),
        (Method::POST, &format!("{path}/break"), None),
    ] {
        for query in ["wait=30", "fence=1", "x", "&"] {
            let answer = api.send(method.clone(), &format!("{path}?{query}"), &[], body.map(String::from)).await;
            refused(&answer, 400, "invalid_request", &["query must be empty", "takes no parameters"]);
            assert_eq!(answer.json()["field"], "query");
        }
    }
    for (query, field, says) in [
        ("wait=30", "query", "unknown parameter \"wait\""),
        ("x", "query", "unknown parameter \"x\""),
        ("after=1&after=1", "after", "must not come more than once"),
        ("after=", "after", "a number of seconds from 0 to 86400"),
        ("after=-1", "after", "must not be negative"),
        ("after=86400.001", "after", "too long"),
        ("after=ten", "after", "not a number"),
        ("after=%221%22", "after", "not a number"),
        ("after=true", "after", "not a number"),
    ] {
        let answer = api.send(Method::DELETE, &format!("{by_token}?{query}"), &[], None).await;
        refused(&answer, 400, "invalid_request", &[says]);
        assert_eq!(answer.json()["field"], field, "{query}");
    }
    assert_eq!(all_of(&resource), before);
    assert_eq!(api.state(&free).await["held"], false);
    assert_eq!(api.get(&format!("{path}?")).await.status, 200);
}

/// Monitors and caches add numbers of their own.
#[tokio::test]
async fn what_is_not_about_locks_ignores_parameters() {
    let api = Replica::shared().await;
    for path in ["/_health", "/_ready", "/openapi.json", "/docs"] {
        assert_eq!(api.get(&format!("{path}?t=1795426110")).await.status, 200, "{path}");
    }
}
