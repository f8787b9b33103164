//! `used` is what the holders have, whatever is released twice, late, or sent again.

use serde_json::Value;

use super::*;
use crate::{
    cli::{finish, gorilla},
    harness::{Process, name},
};

#[tokio::test]
async fn a_release_that_comes_twice_or_after_the_lease_frees_no_permits_of_others() {
    let (redis, replicas) = replicas(2).await;
    let [one, two] = [0, 1].map(|index| &replicas[index].api);
    let resource = name("twice");
    let first = held(one, &resource, "first", Of(2, 4)).await;
    held(two, &resource, "second", Of(1, 4)).await;
    released(one, &resource, &first).await;
    assert_eq!(field(&redis, &resource, "used"), "1");
    for api in [one, two] {
        assert_eq!(api.release(&resource, token(&first)).await.status, 404);
    }
    assert_eq!(field(&redis, &resource, "used"), "1");

    let short = ask(one, &resource, "short", Of(2, 4), 0.2).await.json();
    eventually("it ends", SOON, || async { one.state(&resource).await["used"] == 1 }).await;
    assert_eq!(field(&redis, &resource, "used"), "3", "no script has taken it out yet");
    for api in [one, two] {
        assert_eq!(api.release(&resource, token(&short)).await.status, 404);
        assert_eq!(api.extend(&resource, token(&short), 30).await.code(), "token_mismatch");
        assert_eq!(field(&redis, &resource, "used"), "1");
    }
}

#[tokio::test]
async fn copies_of_a_request_take_its_permits_once() {
    let (redis, replicas) = replicas(2).await;
    let resource = name("copies");
    let key = [("Idempotency-Key", "once")];
    let body = Of(2, 5).to(json!({ "owner": "me", "timeout": 30 }));
    let copies = (0..8).map(|index| replicas[index % 2].api.acquire_with(&resource, &body, &key));
    let answers = futures_util::future::join_all(copies).await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        let facts = ["id", "token", "fence", "floor", "permits"];
        let [lock, first] = [answer, &answers[0]].map(|answer| facts.map(|fact| answer.json()[fact].clone()));
        assert_eq!(lock, first);
    }
    assert_eq!(field(&redis, &resource, "used"), "2");

    let lock = answers[0].json();
    let key = [("Idempotency-Key", "extend")];
    let first = replicas[0].api.extend_with(&resource, token(&lock), 40, &key).await;
    let copy = replicas[1].api.extend_with(&resource, token(&lock), 40, &key).await;
    assert_eq!((first.status, copy.status), (200, 200), "{copy:?}");
    assert_eq!(first.json()["token"], copy.json()["token"]);
    let key = [("Idempotency-Key", "release")];
    for replica in &replicas {
        let answer = replica.api.release_with(&resource, token(&first.json()), &key).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    assert_eq!(keys(&redis, &resource), Vec::<String>::new());
}

#[tokio::test]
async fn a_token_ends_its_own_holder_only_and_a_break_the_holder_with_the_fence() {
    let (redis, replicas) = replicas(2).await;
    let [one, two] = [0, 1].map(|index| &replicas[index].api);
    let resource = name("own");
    let [first, second, third] = [
        held(one, &resource, "first", Of(1, 3)).await,
        held(two, &resource, "second", Of(1, 3)).await,
        held(one, &resource, "third", Of(1, 3)).await,
    ];
    let [id, other] = [&first, &second].map(|lock| token(lock).split_once('.').expect("an id and a secret"));
    let mixed = format!("{}.{}", id.0, other.1);
    assert_eq!(one.release(&resource, &mixed).await.status, 404);
    assert_eq!(one.extend(&resource, &mixed, 60).await.code(), "token_mismatch");
    assert_eq!(field(&redis, &resource, "used"), "3");
    assert_eq!(one.break_lock(&resource, &json!({ "reason": "a test" }), &[]).await.code(), "fence_required");
    let broken = one.break_lock(&resource, &json!({ "reason": "a test", "fence": second["fence"] }), &[]).await;
    assert_eq!((broken.status, &broken.json()["fence"]), (200, &second["fence"]), "{broken:?}");
    assert_eq!(two.extend(&resource, token(&second), 60).await.code(), "token_mismatch");
    for lock in [&first, &third] {
        released(two, &resource, lock).await;
    }
}

#[tokio::test]
async fn a_break_with_a_grace_is_shown_of_the_holder_that_it_is_about() {
    let (_redis, replicas) = replicas(2).await;
    let [one, two] = [0, 1].map(|index| &replicas[index].api);
    let resource = name("breaking");
    let (first, last) = (held(one, &resource, "first", Of(1, 3)).await, held(two, &resource, "last", Of(1, 3)).await);
    let shown = async || {
        let page = two.get(&format!("/api/v1/locks?prefix={resource}")).await.json();
        let states = [one.state(&resource).await, page["locks"][0].clone()];
        states.map(|state| {
            let of = |owner: &str| {
                let holders = state["holders"].as_array().expect("holders");
                holders.iter().find(|holder| holder["owner"] == owner).expect("a holder")["breaking"].clone()
            };
            [of("first"), of("last"), state["breaking"].clone()]
        })
    };
    assert_eq!(shown().await, [const { [Value::Null, Value::Null, Value::Null] }; 2]);
    let breaks = json!({ "reason": "a test", "fence": first["fence"], "grace": 25 });
    assert_eq!(one.break_lock(&resource, &breaks, &[]).await.status, 200);
    // The other holder ends last now, and what is told of the lock is about it.
    assert_eq!(shown().await, [const { [Value::Bool(true), Value::Null, Value::Null] }; 2]);
    let said = finish(Process::spawn(&mut gorilla(&one.url(), &["status", &resource])).expect("gorilla starts")).await;
    let of_first = said.out.lines().find(|line| line.starts_with("first")).expect("a line");
    assert!(said.out.contains("BREAKING") && of_first.trim_end().ends_with("yes"), "{said:?}");
    released(two, &resource, &last).await;
    assert_eq!(one.state(&resource).await["breaking"], true, "the only holder is about to end");
    released(two, &resource, &first).await;
}
