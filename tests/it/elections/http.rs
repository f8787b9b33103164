//! Campaign, keep, proclaim, resign and look, over HTTP.

use std::time::Duration;

use serde_json::{Value, json};

use super::{campaign, elected, keep, leader, path, resign};
use crate::harness::{Method, Redis, Replica, eventually, lock_path, name, token};

#[tokio::test]
async fn a_leader_is_elected_proclaims_and_resigns_and_terms_rise() {
    let redis = Redis::shared();
    let (one, two) = (Replica::on(redis).await, Replica::on(redis).await);
    let (one, two) = (&one.api, &two.api);
    let election = name("leader");
    let vacant = leader(one, &election, "").await;
    let nobody = json!({ "resource": election, "leader": null, "term": null, "candidates": 0, "waitedMs": 0 });
    assert_eq!(vacant, nobody);

    let first = elected(one, &election, "one", 30.0).await;
    assert_eq!(first["term"], first["fence"]);
    let refused = campaign(two, &election, &json!({ "owner": "two", "timeout": 30 })).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "lock_held"), "{refused:?}");
    let (two_too, election_too) = (two.clone(), election.clone());
    let candidate = tokio::spawn(async move {
        campaign(&two_too, &election_too, &json!({ "owner": "two", "timeout": 30, "wait": 30 })).await
    });
    eventually("there is a candidate", Duration::from_secs(20), || async {
        leader(one, &election, "").await["candidates"] == 1
    })
    .await;

    let proclaims = json!({ "timeout": 30, "metadata": { "port": 1 }, "rotate": false });
    let kept = keep(one, &election, token(&first), &proclaims).await.json();
    assert_eq!((&kept["token"], &kept["term"], &kept["id"]), (&first["token"], &first["term"], &first["id"]));
    let seen = leader(two, &election, "").await;
    assert_eq!((&seen["term"], &seen["leader"]["term"]), (&first["term"], &first["term"]));
    let facts = (&seen["leader"]["owner"], &seen["leader"]["metadata"], &seen["leader"]["id"]);
    assert_eq!(facts, (&json!("one"), &json!([{ "port": 1 }]), &first["id"]));
    assert!(!seen.to_string().contains(token(&first)), "a look tells no token");
    // Without metadata the last proclamation stays, and a token that rotates is new.
    let kept = keep(one, &election, token(&first), &json!({ "timeout": 30 })).await.json();
    assert_eq!(kept["metadata"], json!([{ "port": 1 }]));
    assert_ne!(kept["token"], first["token"]);
    assert_eq!(resign(one, &election, token(&first)).await.code(), "token_not_found");

    assert_eq!(resign(one, &election, token(&kept)).await.status, 204);
    let second = candidate.await.expect("no panic");
    assert_eq!(second.status, 200, "{second:?}");
    let second = second.json();
    assert!(second["term"].as_u64() > first["term"].as_u64(), "{first} {second}");
    assert!(second["waitedMs"].is_u64(), "{second}");
    let late = keep(one, &election, token(&kept), &json!({ "timeout": 30 })).await;
    assert_eq!((late.status, late.code().as_str()), (409, "token_mismatch"), "{late:?}");
    assert_eq!(resign(two, &election, token(&second)).await.status, 204);
    assert_eq!(leader(one, &election, "").await, nobody);
    let late = keep(two, &election, token(&second), &json!({ "timeout": 30 })).await;
    assert_eq!((late.status, late.code().as_str()), (404, "lock_not_found"), "{late:?}");
}

#[tokio::test]
async fn an_election_is_the_lock_of_its_name() {
    let api = &Replica::shared().await;
    let election = name("same");
    let lock = api.granted(&election, "by the lock", 30).await;
    let seen = leader(api, &election, "").await;
    assert_eq!((&seen["leader"]["owner"], &seen["term"]), (&json!("by the lock"), &lock["fence"]));
    let kept = keep(api, &election, token(&lock), &json!({ "timeout": 40 })).await;
    assert_eq!(kept.status, 200, "{kept:?}");
    assert_eq!(api.release(&election, token(&kept.json())).await.status, 204);

    let leads = elected(api, &election, "by the election", 30.0).await;
    assert_eq!(api.state(&election).await["fence"], leads["term"]);
    assert_eq!(api.acquire(&election, "another", 30).await.code(), "lock_held");
    assert_eq!(api.status(&election, token(&leads)).await.status, 200);
    let broken = api.break_lock(&election, &json!({ "fence": leads["term"], "grace": 20 }), &[]).await;
    assert_eq!(broken.status, 200, "{broken:?}");
    assert_eq!(leader(api, &election, "").await["leader"]["breaking"], true);
    assert_eq!(keep(api, &election, token(&leads), &json!({ "timeout": 30 })).await.code(), "lock_breaking");
    assert_eq!(resign(api, &election, token(&leads)).await.status, 204);

    // While the lock is shared, nobody leads, and the token of a reader is not that of a leader.
    let shared = json!({ "owner": "reader", "timeout": 30, "mode": "shared" });
    let reader = api.acquire_with(&election, &shared, &[]).await.json();
    let seen = leader(api, &election, "").await;
    assert_eq!((&seen["leader"], &seen["term"]), (&Value::Null, &Value::Null));
    let refused = campaign(api, &election, &json!({ "owner": "me", "timeout": 30 })).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "lock_held"), "{refused:?}");
    let refused = keep(api, &election, token(&reader), &json!({ "timeout": 30 })).await;
    assert_eq!((refused.status, refused.code().as_str()), (404, "token_not_found"), "{refused:?}");
    let refused = resign(api, &election, token(&reader)).await;
    assert_eq!((refused.status, refused.code().as_str()), (404, "token_not_found"), "{refused:?}");
    assert_eq!(api.release(&election, token(&reader)).await.status, 204);
}

#[tokio::test]
async fn a_campaign_that_is_repeated_with_its_key_is_one() {
    let api = &Replica::shared().await;
    let election = name("repeated");
    let body = json!({ "owner": "me", "timeout": 30 }).to_string();
    let headers = [("Idempotency-Key", "campaign-1")];
    let first = api.send(Method::POST, &path(&election), &headers, Some(body.clone())).await;
    let again = api.send(Method::POST, &path(&election), &headers, Some(body.clone())).await;
    assert_eq!(again.header("idempotent-replay"), Some("true"), "{again:?}");
    let (first, again) = (first.json(), again.json());
    assert_eq!((&first["token"], &first["term"]), (&again["token"], &again["term"]));
    // The same request by the interface of locks is the same acquire.
    let as_lock = api.send(Method::POST, &lock_path(&election), &headers, Some(body)).await;
    assert_eq!(as_lock.json()["token"], first["token"]);
}

#[tokio::test]
async fn what_an_election_does_not_have_is_refused_and_changes_nothing() {
    let api = &Replica::shared().await;
    let election = name("refused");
    for more in ["mode", "limit", "permits", "headstart", "replaces", "term"] {
        let mut body = json!({ "owner": "me", "timeout": 30 });
        body[more] = json!(1);
        let answer = campaign(api, &election, &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{more}: {answer:?}");
    }
    assert_eq!(leader(api, &election, "").await["leader"], Value::Null);
    let leads = elected(api, &election, "me", 30.0).await;
    for body in [json!({ "timeout": 30, "mode": "shared" }), json!({}), json!({ "timeout": 0 })] {
        let answer = keep(api, &election, token(&leads), &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{body}: {answer:?}");
    }
    let without = api.send(Method::PUT, &path(&election), &[], Some(json!({ "timeout": 30 }).to_string())).await;
    assert_eq!((without.status, without.code().as_str()), (400, "token_required"), "{without:?}");
    let without = api.send(Method::DELETE, &path(&election), &[], None).await;
    assert_eq!((without.status, without.code().as_str()), (400, "token_required"), "{without:?}");
    for query in [
        "?wait=1",
        "?after=1&wait=61",
        "?after=1&wait=-1",
        "?after=1&wait=soon",
        "?after=",
        "?after=nobody",
        "?after=-1",
        "?after=1&after=2",
        "?until=free",
        "?term=1",
    ] {
        let answer = api.get(&format!("{}{query}", path(&election))).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{query}: {answer:?}");
    }
    for (method, query) in [(Method::POST, "?wait=1"), (Method::PUT, "?after=5"), (Method::DELETE, "?after=5")] {
        let sent = api.send(method.clone(), &format!("{}{query}", path(&election)), &[], None).await;
        assert_eq!((sent.status, sent.code().as_str()), (400, "invalid_request"), "{method}: {sent:?}");
    }
    for wrong in ["/api/v1/elections/", "/api/v1/elections/a/b"] {
        assert_eq!(api.get(wrong).await.code(), "not_found", "{wrong}");
    }
    assert_eq!(leader(api, &election, "").await["term"], leads["term"]);
}
