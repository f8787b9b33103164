//! The client beside servers of other versions: with more members, other members, or fewer.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    http::{Request, Response},
};
use gorilla_client::{Client, Error, Holder, Lost, Token};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::shared;
use crate::harness::{Api, name};

/// What a server of another version answers where one of this version answers with this status and JSON.
type Differs = fn(u16, Value) -> (u16, Value);

/// A replica, and a client of a server of another version: that server has the replica answer and changes the answer.
async fn of_another_version(differs: Differs) -> (Api, Client) {
    let (replica, _) = shared().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let behind = replica.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let behind = behind.clone();
            let service = service_fn(move |request| {
                let behind = behind.clone();
                async move { Ok::<_, Infallible>(changed(&behind, request, differs).await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let client = Client::builder(format!("http://{address}")).patience(Duration::from_millis(300));
    (replica, client.build().expect("an address"))
}

async fn changed(replica: &Api, request: Request<Incoming>, differs: Differs) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("the whole body").to_bytes();
    let body = (!body.is_empty()).then(|| String::from_utf8(body.into()).expect("UTF-8"));
    let headers = ["lock-token", "idempotency-key"].into_iter();
    let headers: Vec<_> = headers.filter_map(|name| Some((name, head.headers.get(name)?.to_str().ok()?))).collect();
    let answer = replica.send(head.method, &head.uri.to_string(), &headers, body).await;
    let json = if answer.text.is_empty() { Value::Null } else { answer.json() };
    let (status, json) = differs(answer.status, json);
    let response = Response::builder().status(status).header("Content-Type", "application/json");
    let body = if json.is_null() { Body::empty() } else { json.to_string().into() };
    response.body(body).expect("an answer")
}

/// Adds a member to each object that the wire describes.
fn with_more_members(status: u16, mut json: Value) -> (u16, Value) {
    if let Some(answer) = json.as_object_mut() {
        answer.insert("ofALaterVersion".into(), json!({ "a": [1, null] }));
        let locks = answer.get_mut("locks").and_then(Value::as_array_mut).into_iter().flatten();
        for lock in locks {
            lock["ofALaterVersion"] = json!([{}]);
        }
    }
    (status, json)
}

/// Keeps the code, the sentence and the outcome of an error, and gives each other member a form that no version has.
fn with_other_facts(status: u16, mut json: Value) -> (u16, Value) {
    let members = json.as_object_mut().filter(|_| status >= 400).into_iter().flatten();
    for (name, value) in members {
        if !["code", "errorMessage", "outcome"].contains(&name.as_str()) {
            *value = json!([{ "was": value }]);
        }
    }
    (status, json)
}

/// Keeps only the code and the sentence of an error.
fn with_a_code_and_a_sentence(status: u16, mut json: Value) -> (u16, Value) {
    if let Some(answer) = json.as_object_mut().filter(|_| status >= 400) {
        answer.retain(|name, _| ["code", "errorMessage"].contains(&name.as_str()));
    }
    (status, json)
}

#[tokio::test]
async fn answers_of_a_server_that_has_more_members_are_read() {
    let ((_, client), resource) = (of_another_version(with_more_members).await, name("more"));
    let lock = client.lock(&resource).owner("me").acquire_unguarded().await.expect("a lock");
    let lock = client.extend(&resource, &lock.token, Duration::from_secs(60)).await.expect("extended");
    assert_eq!(client.status(&resource, &lock.token).await.expect("a lock").fence, lock.fence);
    let tenure = client.state(&resource).await.expect("a state").tenure.expect("it is held");
    assert_eq!((tenure.fence, tenure.owner.as_str()), (lock.fence, "me"));
    let page = client.page(&resource, None).await.expect("a page");
    let on_page = page.locks.first().and_then(|state| state.tenure.as_ref()).expect("the lock");
    assert_eq!(on_page.fence, lock.fence);

    let busy = match client.lock(&resource).acquire_unguarded().await {
        Err(Error::NotAcquired(busy)) => busy,
        other => panic!("{other:?}"),
    };
    let Holder { owner, fence, ttl, .. } = busy.holder.expect("a holder");
    assert_eq!((owner.as_str(), fence), ("me", lock.fence));
    assert!(ttl > Duration::from_secs(30), "{ttl:?}");
    let changed = client.break_lock(&resource, Some(lock.fence - 1), "").await.expect_err("another grant");
    assert!(matches!(&changed, Error::Refused { code, .. } if code == "fence_changed"), "{changed:?}");
    assert_eq!(client.break_lock(&resource, Some(lock.fence), "").await.expect("broken").fence, lock.fence);
    let lost = client.release(&resource, &lock.token).await;
    assert!(matches!(lost, Err(Error::Lost(Lost::Ended(_)))), "{lost:?}");
}

#[tokio::test]
async fn an_error_keeps_its_meaning_where_its_facts_are_missing_or_have_another_form() {
    for differs in [with_other_facts as Differs, with_a_code_and_a_sentence] {
        let ((api, client), resource) = (of_another_version(differs).await, name("facts"));
        let fence = api.granted(&resource, "somebody", 60).await["fence"].as_u64().expect("a fence");
        let busy = match client.lock(&resource).acquire_unguarded().await {
            Err(Error::NotAcquired(busy)) => busy,
            other => panic!("{other:?}"),
        };
        assert_eq!((busy.holder, busy.waiting, busy.position), (None, 0, None));
        let lost = client.release(&resource, &Token::new("another")).await;
        assert!(matches!(lost, Err(Error::Lost(Lost::Ended(_)))), "{lost:?}");
        let changed = client.break_lock(&resource, Some(fence - 1), "").await.expect_err("another grant");
        assert!(matches!(&changed, Error::Refused { code, .. } if code == "fence_changed"), "{changed:?}");
    }
}

#[tokio::test]
async fn the_outcome_of_an_error_counts_whatever_else_the_error_has() {
    let not_executed: [Differs; 3] = [
        |_, _| (503, json!({ "errorMessage": "No.", "code": "new", "outcome": "not_executed", "left": 1 })),
        |_, _| (503, json!({ "errorMessage": "No.", "code": "new", "outcome": "not_executed", "waiting": "some" })),
        |_, _| (503, json!({ "code": "new", "outcome": "not_executed" })),
    ];
    for differs in not_executed {
        let (_, client) = of_another_version(differs).await;
        let failed = client.state(&name("outcome")).await.expect_err("it is refused");
        assert!(matches!(failed, Error::Unavailable(_)), "{failed:?}");
    }
    let unknown: [Differs; 4] = [
        |_, _| (503, json!({ "errorMessage": "Perhaps.", "code": "new" })),
        |_, _| (503, json!({ "errorMessage": "Perhaps.", "code": "new", "outcome": "half_executed" })),
        |_, _| (503, json!({ "errorMessage": "Perhaps.", "code": "new", "outcome": { "executed": 0.5 } })),
        |_, _| (503, json!({ "errorMessage": "Perhaps.", "code": "new", "outcome": null })),
    ];
    for differs in unknown {
        let (_, client) = of_another_version(differs).await;
        let failed = client.state(&name("outcome")).await.expect_err("it is refused");
        assert!(matches!(&failed, Error::Unknown(why) if &**why == "Perhaps"), "{failed:?}");
    }
}

#[tokio::test]
async fn a_code_is_told_as_it_came_and_a_sentence_that_is_missing_is_made_up_for() {
    let refused: [(Differs, &str); 3] = [
        (|_, _| (409, json!({ "errorMessage": "No.", "code": "new", "field": null })), "No."),
        (|_, _| (409, json!({ "code": "new" })), "409"),
        (|_, _| (409, json!({ "code": "new", "errorMessage": { "en": "No." } })), "409"),
    ];
    for (differs, part) in refused {
        let (_, client) = of_another_version(differs).await;
        match client.state(&name("code")).await {
            Err(Error::Refused { code, message, .. }) => {
                assert!(code == "new" && message.contains(part), "{code}: {message}");
            }
            other => panic!("{other:?}"),
        }
    }
    // Without a code, a gateway may have answered in place of Gorilla.
    let by_others: [Differs; 2] = [|_, _| (409, json!({ "message": "No." })), |_, _| (409, json!({}))];
    for differs in by_others {
        let (_, client) = of_another_version(differs).await;
        let refused = client.state(&name("code")).await.expect_err("it is refused");
        assert!(refused.to_string().contains("is not an answer of Gorilla"), "{refused}");
    }
}
