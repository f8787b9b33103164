//! A success is answered again; a refusal is decided anew.

use reqwest::Method;
use serde_json::json;

use super::{first, key, replay, same_lock};
use crate::harness::{Redis, Replica, lock_path, name, token};

#[tokio::test]
async fn each_operation_answers_its_success_again_also_on_another_replica() {
    let (api, other) = (Replica::shared().await, Replica::start().await);
    let resource = name("again");
    let body = json!({ "owner": "me", "timeout": 20, "metadata": [1.0] });

    let lock = first(&api.acquire_with(&resource, &body, &key("acquire")).await);
    for api in [&api, &other.api, &api] {
        same_lock(replay(&api.acquire_with(&resource, &body, &key("acquire")).await), lock.clone());
    }
    let extended = first(&api.extend_with(&resource, token(&lock), 40, &key("extend")).await);
    for api in [&api, &other.api, &api] {
        same_lock(replay(&api.extend_with(&resource, token(&lock), 40, &key("extend")).await), extended.clone());
    }
    // The token of the replay is the current one.
    assert_eq!(api.status(&resource, token(&extended)).await.json()["expireAt"], extended["expireAt"]);

    let released = api.release_with(&resource, token(&extended), &key("release")).await;
    assert_eq!((released.status, released.header("idempotent-replay")), (204, None));
    for api in [&api, &other.api, &api] {
        let again = api.release_with(&resource, token(&extended), &key("release")).await;
        assert_eq!((again.status, again.header("idempotent-replay")), (204, Some("true")));
    }

    api.granted(&resource, "other", 30).await;
    let broken = first(&api.break_lock(&resource, &json!({ "reason": "test" }), &key("break")).await);
    for api in [&api, &other.api, &api] {
        assert_eq!(replay(&api.break_lock(&resource, &json!({ "reason": "test" }), &key("break")).await), broken);
    }
}

#[tokio::test]
async fn the_header_form_of_extend_and_release_is_the_same_request_as_the_path_form() {
    let (api, resource) = (Replica::shared().await, name("forms"));
    let lock = api.granted(&resource, "me", 30).await;
    let extended = first(&api.extend_with(&resource, token(&lock), 60, &key("extend")).await);
    let headers = [("Lock-Token", token(&lock)), ("Idempotency-Key", "extend")];
    let body = Some(r#"{"timeout":60}"#.to_string());
    same_lock(replay(&api.send(Method::PUT, &lock_path(&resource), &headers, body).await), extended.clone());
    let headers = [("Lock-Token", token(&extended)), ("Idempotency-Key", "release")];
    assert_eq!(api.send(Method::DELETE, &lock_path(&resource), &headers, None).await.status, 204);
    let again = api.release_with(&resource, token(&extended), &key("release")).await;
    assert_eq!((again.status, again.header("idempotent-replay")), (204, Some("true")));
}

#[tokio::test]
async fn the_order_and_the_white_space_of_a_body_do_not_make_it_another() {
    let (api, resource) = (Replica::shared().await, name("order"));
    let send = async |body: &str| api.send(Method::POST, &lock_path(&resource), &key("k"), Some(body.into())).await;
    let lock = first(&send(r#"{"owner":"m e","timeout":30,"metadata":[{"a b":[1,"x y"]}]}"#).await);
    for same in [
        r#"{"metadata":[{"a b":[1,"x y"]}],"timeout":30,"owner":"m e"}"#,
        "  {\r\n\t\"timeout\" : 30 ,\n\"owner\":\"m e\", \"metadata\":[{\"a b\":[1,\"x y\"]}]}\n",
        "{\"owner\":\"m\\u0020e\",\"timeout\":\"30\",\"metadata\":{\"a b\":[1,\"x y\"]}}",
        "{\"owner\":\"m e\",\"timeout\":30.0,\"metadata\":[ { \"a b\" :\t[ 1 ,\n\"x y\" ] } ]}",
    ] {
        same_lock(replay(&send(same).await), lock.clone());
    }
}

#[tokio::test]
async fn the_time_left_in_a_replay_is_what_is_left_now() {
    let (api, redis, resource) = (Replica::shared().await, Redis::shared(), name("left"));
    let left = || redis.cli(&["PTTL", &format!("gorilla:{{{resource}}}:lock")]).parse::<u64>().expect("a number");
    let body = json!({ "owner": "me", "timeout": 30 });
    let lock = first(&api.acquire_with(&resource, &body, &key("acquire")).await);
    let before = left();
    let replayed = replay(&api.acquire_with(&resource, &body, &key("acquire")).await)["ttlMs"].as_u64();
    assert!((left()..=before).contains(&replayed.expect("a number")), "{replayed:?} of {before}");

    first(&api.extend_with(&resource, token(&lock), 60, &key("extend")).await);
    let before = left();
    let replayed = replay(&api.extend_with(&resource, token(&lock), 60, &key("extend")).await)["ttlMs"].as_u64();
    assert!((left()..=before).contains(&replayed.expect("a number")), "{replayed:?} of {before}");
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let (api, resource) = (Replica::shared().await, name("refusals"));
    let body = json!({ "owner": "me", "timeout": 30 });
    let path = lock_path(&resource);

    // Requests with one key: the first is invalid, the next two find the lock held, and the last is granted it.
    let invalid = json!({ "owner": "me", "timeout": 0 });
    assert_eq!(api.acquire_with(&resource, &invalid, &key("k1")).await.status, 400);
    let holder = api.granted(&resource, "holder", 30).await;
    for _ in 0..2 {
        assert_eq!(api.acquire_with(&resource, &body, &key("k1")).await.code(), "lock_held");
    }
    api.release(&resource, token(&holder)).await;
    let lock = first(&api.acquire_with(&resource, &body, &key("k1")).await);

    assert_eq!(api.extend_with(&resource, token(&lock), 1, &key("k2")).await.code(), "timeout_shorter");
    assert_eq!(api.extend_with(&resource, token(&holder), 60, &key("k2")).await.code(), "token_mismatch");
    let extended = first(&api.extend_with(&resource, token(&lock), 60, &key("k2")).await);

    assert_eq!(api.release_with(&resource, token(&lock), &key("k3")).await.code(), "token_not_found");
    let answer = api.send(Method::DELETE, &path, &key("k3"), None).await;
    assert_eq!(answer.code(), "token_required");
    assert_eq!(api.release_with(&resource, token(&extended), &key("k3")).await.status, 204);
    assert_eq!(api.release_with(&resource, token(&extended), &key("k4")).await.code(), "lock_not_found");

    assert_eq!(api.break_lock(&resource, &json!({}), &key("k5")).await.code(), "lock_not_found");
    api.granted(&resource, "other", 30).await;
    assert_eq!(api.break_lock(&resource, &json!({ "fence": 1 }), &key("k5")).await.code(), "fence_changed");
    first(&api.break_lock(&resource, &json!({}), &key("k5")).await);
}

#[tokio::test]
async fn without_a_key_a_request_acts_as_often_as_it_comes() {
    let (api, resource) = (Replica::shared().await, name("keyless"));
    let lock = api.granted(&resource, "me", 30).await;
    assert_eq!(api.acquire(&resource, "me", 30).await.status, 409);
    let extended = first(&api.extend(&resource, token(&lock), 60).await);
    assert_eq!(api.extend(&resource, token(&lock), 60).await.status, 409);
    assert_eq!(api.release(&resource, token(&extended)).await.status, 204);
    assert_eq!(api.release(&resource, token(&extended)).await.status, 404);
}
