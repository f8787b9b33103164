//! The public state of one resource, and the pages of all held locks.

use std::collections::BTreeSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::fields;
use crate::harness::{Api, Replica, lock_path, name, token};

/// Follows the cursors to the end: the pages, none of them dropped for being empty.
async fn pages(api: &Api, prefix: &str, limit: usize) -> Vec<Vec<Value>> {
    let prefix = utf8_percent_encode(prefix, NON_ALPHANUMERIC);
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = api.get(&format!("/api/v1/locks?prefix={prefix}&limit={limit}&cursor={cursor}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut page = answer.json();
        assert_eq!(fields(&page), "cursor locks");
        pages.push(serde_json::from_value(page["locks"].take()).expect("a list"));
        match &page["cursor"] {
            Value::Null => return pages,
            next => cursor = next.as_str().expect("a cursor is text").into(),
        }
        assert!(pages.len() < 10_000, "the cursors never end");
    }
}

async fn names_listed(api: &Api, prefix: &str) -> BTreeSet<String> {
    let locks = pages(api, prefix, 1000).await.concat();
    locks.iter().map(|lock| lock["resource"].as_str().expect("a name").to_string()).collect()
}

#[tokio::test]
async fn the_public_state_tells_everything_but_the_token() {
    let (api, resource) = (Replica::shared().await, name("public"));
    let body = json!({ "owner": "me", "timeout": 30, "metadata": { "why": "test" } });
    let lock = api.acquire_with(&resource, &body, &[]).await.json();
    let state = api.get(&lock_path(&resource)).await;
    assert!(!state.text.contains(token(&lock)), "the public state tells the token");
    let state = state.json();
    assert_eq!(
        fields(&state),
        "createdAt expireAt fence held id metadata owner renewals resource ttlMs updatedAt waiting",
        "{state}"
    );
    for same in ["id", "owner", "resource", "fence", "metadata", "createdAt", "updatedAt", "expireAt"] {
        assert_eq!(state[same], lock[same], "{same}");
    }
    assert_eq!((&state["held"], &state["waiting"]), (&json!(true), &json!(0)));
}

#[tokio::test]
async fn the_list_pages_through_every_held_lock_and_tells_no_token() {
    let (api, base) = (Replica::shared().await, name("paged"));
    let mut held = BTreeSet::new();
    let mut tokens = Vec::new();
    for number in 0..25 {
        let resource = format!("{base}:{number}");
        tokens.push(token(&api.granted(&resource, "me", 60).await).to_string());
        held.insert(resource);
    }
    // These two locks are not held any more, and the name of that lock never had the prefix.
    let gone = format!("{base}:gone");
    let lock = api.granted(&gone, "me", 60).await;
    api.release(&gone, token(&lock)).await;
    api.granted(&name("elsewhere"), "me", 60).await;

    for limit in [1, 4, 1000] {
        let pages = pages(&api, &base, limit).await;
        if limit < 25 {
            assert!(pages.iter().all(|page| page.len() < 25), "a limit of {limit} does not limit");
        }
        let mut seen = BTreeSet::new();
        for lock in pages.concat() {
            assert_eq!(lock, {
                let mut state = api.state(lock["resource"].as_str().expect("a name")).await;
                state["ttlMs"] = lock["ttlMs"].clone();
                state
            });
            assert!(tokens.iter().all(|token| !lock.to_string().contains(token)), "the list tells a token");
            seen.insert(lock["resource"].as_str().expect("a name").to_string());
        }
        assert_eq!(seen, held, "with a limit of {limit}");
    }
}

#[tokio::test]
async fn a_prefix_is_text_and_no_pattern() {
    let (api, base) = (Replica::shared().await, name("glob"));
    let ends = ["*", "?", "[a-z]", "[", "]", "^", "-", "\\", "\\*", "{", "}", "%", "%7B", " ", "🦍", "a", "ab"];
    for end in ends {
        api.granted(&format!("{base}{end}"), "me", 60).await;
    }
    for prefix in ends {
        let expected: BTreeSet<_> =
            ends.iter().filter(|end| end.starts_with(prefix)).map(|end| format!("{base}{end}")).collect();
        assert_eq!(names_listed(&api, &format!("{base}{prefix}")).await, expected, "{prefix:?}");
    }
    assert_eq!(names_listed(&api, &base).await.len(), ends.len());
    assert_eq!(names_listed(&api, &format!("{base}none")).await.len(), 0);
}

#[tokio::test]
async fn the_list_of_an_owner_has_all_its_locks_and_no_other() {
    let (api, base) = (Replica::shared().await, name("owned"));
    let mut of_mine = BTreeSet::new();
    for number in 0..12 {
        let (resource, owner) = (format!("{base}:{number}"), ["a&b c%", "a&b c", "A&b c%", ""][number % 4]);
        // Owners whose names begin alike are others.
        let owner = if owner.is_empty() { "a&b c% " } else { owner };
        api.granted(&resource, owner, 60).await;
        if owner == "a&b c%" {
            of_mine.insert(resource);
        }
    }
    let owner = utf8_percent_encode("a&b c%", NON_ALPHANUMERIC).to_string();
    for limit in [1, 5, 1000] {
        let (mut seen, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let query = format!("owner={owner}&prefix={base}&limit={limit}&cursor={cursor}");
            let page = api.get(&format!("/api/v1/locks?{query}")).await.json();
            for lock in page["locks"].as_array().expect("a list") {
                assert_eq!(lock["owner"], "a&b c%");
                seen.insert(lock["resource"].as_str().expect("a name").to_string());
            }
            match page["cursor"].as_str() {
                None => break,
                Some(next) => cursor = next.into(),
            }
        }
        assert_eq!(seen, of_mine, "with a limit of {limit}");
    }
}

#[tokio::test]
async fn all_parameters_of_the_list_have_defaults() {
    let api = Replica::shared().await;
    api.granted(&name("listed"), "me", 60).await;
    for query in ["", "?", "?prefix=&cursor=&limit=10", "?cursor=99-0"] {
        let answer = api.get(&format!("/api/v1/locks{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        assert!(answer.json()["locks"].is_array());
    }
}

#[tokio::test]
async fn bad_parameters_of_the_list_are_refused() {
    let api = Replica::shared().await;
    let long = format!("prefix={}", "x".repeat(257));
    let long_owner = format!("owner={}", "x".repeat(257));
    for (query, field, rule) in [
        ("limit=0", "limit", "1 to 1000"),
        ("limit=1001", "limit", "1 to 1000"),
        ("limit=-1", "limit", "1 to 1000"),
        ("limit=1.5", "limit", "1 to 1000"),
        ("limit=", "limit", "1 to 1000"),
        ("limit=ten", "limit", "1 to 1000"),
        ("limit=99999999999999999999999", "limit", "1 to 1000"),
        ("cursor=abc", "cursor", "earlier page"),
        ("cursor=1", "cursor", "earlier page"),
        ("cursor=0-x", "cursor", "earlier page"),
        ("cursor=-1-0", "cursor", "earlier page"),
        ("cursor=0-99999999999999999999999", "cursor", "earlier page"),
        ("prefix=a&holder=me", "query", "prefix, owner, cursor, limit"),
        ("owner=", "owner", "1 to 256 bytes"),
        (&long_owner, "owner", "1 to 256 bytes"),
        (&long, "prefix", "256 bytes"),
    ] {
        let answer = api.get(&format!("/api/v1/locks?{query}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{query}: {answer:?}");
        let error = answer.json();
        assert_eq!((&error["field"], &error["outcome"]), (&json!(field), &json!("not_executed")), "{query}");
        let message = error["errorMessage"].as_str().unwrap_or_default();
        assert!(message.contains(field) && message.contains(rule), "{query}: {message}");
    }
}
