//! The guards of one client renew their locks together.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{Request, Response},
};
use gorilla_client::{Client, Error, Guard, Lost};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{TTL, client};
use crate::harness::{Answer, Api, Method, Mode, Proxy, Replica, eventually, name};

const BATCH: &str = "/api/v1/batch";

/// What a front does with the answers to batches.
#[derive(Clone, Copy, PartialEq)]
enum Batches {
    Pass,
    /// As a server of before: there is no such path.
    Missing,
    /// The first item of each was done, and the answer doesn't know.
    FirstUnknown,
}

/// A replica behind a front that counts requests.
struct Front {
    api: Api,
    client: Client,
    batches: Arc<AtomicUsize>,
    items: Arc<AtomicUsize>,
    extends: Arc<AtomicUsize>,
    what: Arc<Mutex<Batches>>,
}

impl Front {
    async fn new(api: Api, batches: Batches) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let [counted, items, extends]: [Arc<AtomicUsize>; 3] = Default::default();
        let what = Arc::new(Mutex::new(batches));
        let (behind, counts) = (api.clone(), [counted.clone(), items.clone(), extends.clone()]);
        let whats = Arc::clone(&what);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (behind, counts, whats) = (behind.clone(), counts.clone(), whats.clone());
                let service = service_fn(move |request| {
                    let (behind, counts) = (behind.clone(), counts.clone());
                    let batches = *whats.lock().expect("what to do");
                    async move { Ok::<_, Infallible>(passed(&behind, request, &counts, batches).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        let client = client(format!("http://{address}"));
        Self { api, client, batches: counted, items, extends, what }
    }

    async fn guard(&self, resource: &str, ttl: Duration) -> Guard {
        let guard = self.client.lock(resource).ttl(ttl).acquire().await;
        guard.expect("a lock")
    }

    fn counted(&self) -> (usize, usize, usize) {
        (self.batches.load(Relaxed), self.items.load(Relaxed), self.extends.load(Relaxed))
    }
}

async fn passed(
    behind: &Api,
    request: Request<Incoming>,
    [batches, items, extends]: &[Arc<AtomicUsize>; 3],
    what: Batches,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("the whole body").to_bytes();
    let body = (!body.is_empty()).then(|| String::from_utf8(body.into()).expect("UTF-8"));
    let is_batch = head.uri.path() == BATCH;
    if is_batch {
        batches.fetch_add(1, Relaxed);
        let asked: Value = serde_json::from_str(body.as_deref().expect("a body")).expect("JSON");
        let asked = asked["operations"].as_array().expect("operations");
        assert!(asked.iter().all(|item| item["op"] == "extend" && item["rotate"] == false), "{asked:?}");
        items.fetch_add(asked.len(), Relaxed);
    }
    if head.method == Method::PUT {
        extends.fetch_add(1, Relaxed);
    }
    if is_batch && what == Batches::Missing {
        let said = json!({ "errorMessage": "No.", "code": "not_found", "outcome": "not_executed" });
        return Response::builder().status(404).body(said.to_string().into()).expect("an answer");
    }
    let headers = ["lock-token", "idempotency-key"].into_iter();
    let headers: Vec<_> = headers.filter_map(|name| Some((name, head.headers.get(name)?.to_str().ok()?))).collect();
    let Answer { status, mut text, .. } = behind.send(head.method, &head.uri.to_string(), &headers, body).await;
    if is_batch && what == Batches::FirstUnknown {
        let mut told: Value = serde_json::from_str(&text).expect("JSON");
        let unknown = json!({ "errorMessage": "Perhaps.", "code": "outcome_unknown", "outcome": "unknown" });
        told["results"][0] = json!({ "index": 0, "status": 504, "body": unknown });
        text = told.to_string();
    }
    let response = Response::builder().status(status).header("Content-Type", "application/json");
    response.body(text.into()).expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_guards_renew_in_a_few_requests_and_keep_their_tokens() {
    const GUARDS: usize = 1000;
    let ttl = Duration::from_secs(15);
    let front = Arc::new(Front::new(Replica::shared().await, Batches::Pass).await);
    let prefix = name("thousand");
    let mut guards = Vec::new();
    for part in 0..GUARDS / 50 {
        let acquiring = (0..50).map(|index| {
            let (front, resource) = (Arc::clone(&front), format!("{prefix}-{part}-{index}"));
            tokio::spawn(async move { front.guard(&resource, ttl).await })
        });
        for guard in acquiring.collect::<Vec<_>>() {
            guards.push(guard.await.expect("no panic"));
        }
    }
    let tokens: Vec<_> = guards.iter().map(|guard| guard.lease().borrow().token.clone()).collect();
    let before = front.counted();
    // All renew at least twice.
    let ends: Vec<_> = guards.iter().map(|guard| guard.lease().borrow().ends).collect();
    tokio::time::sleep(ttl).await;
    let (batches, items, extends) = front.counted();
    assert!(items - before.1 >= 2 * GUARDS, "{items} items");
    assert!(batches - before.0 <= 40, "{batches} batches");
    assert!(extends - before.2 <= 20, "{extends} extends");
    for (guard, ends) in guards.iter().zip(ends) {
        assert!(guard.is_held() && guard.lease().borrow().ends > ends, "{guard:?}");
    }
    let kept = guards.iter().zip(tokens).filter(|(guard, token)| guard.lease().borrow().token == *token).count();
    assert!(kept + extends - before.2 >= GUARDS, "{kept} tokens are the same");
    while !guards.is_empty() {
        let releasing = guards.drain(..50).map(|guard| tokio::spawn(guard.release()));
        for released in releasing.collect::<Vec<_>>() {
            released.await.expect("no panic").expect("the token is right");
        }
    }
}

#[tokio::test]
async fn a_guard_that_is_alone_renews_singly_and_two_renew_together() {
    let front = Front::new(Replica::shared().await, Batches::Pass).await;
    let (one, two) = (name("one"), name("two"));
    let one = front.guard(&one, TTL).await;
    tokio::time::sleep(TTL).await;
    let (batches, _, extends) = front.counted();
    assert!(batches == 0 && extends >= 1, "{batches} batches, {extends} extends");
    let two = front.guard(&two, TTL).await;
    tokio::time::sleep(TTL * 2).await;
    let (batches, items, _) = front.counted();
    assert!(batches >= 2 && items >= 2 * batches, "{batches} batches with {items} items");
    assert!(one.is_held() && two.is_held());
    one.release().await.expect("released");
    two.release().await.expect("released");
}

#[tokio::test]
async fn one_that_is_broken_is_lost_and_the_others_of_its_batch_go_on() {
    let front = Front::new(Replica::shared().await, Batches::Pass).await;
    let names = [name("one"), name("broken"), name("three")];
    let mut guards = Vec::new();
    for resource in &names {
        guards.push(front.guard(resource, TTL).await);
    }
    tokio::time::sleep(TTL / 2).await;
    front.api.break_lock(&names[1], &json!({ "reason": "a test" }), &[]).await;
    let lost = tokio::time::timeout(TTL, guards[1].lost()).await.expect("in time");
    assert!(matches!(lost, Lost::Ended(_)), "{lost:?}");
    tokio::time::sleep(TTL).await;
    assert_eq!(guards.iter().map(Guard::is_held).collect::<Vec<_>>(), [true, false, true]);
    assert!(front.counted().0 > 0);
    for guard in guards {
        let released = guard.release().await;
        assert!(matches!(released, Ok(()) | Err(Error::Lost(_))), "{released:?}");
    }
}

#[tokio::test]
async fn a_server_that_knows_no_batches_is_asked_no_more_and_guards_renew_singly() {
    let front = Front::new(Replica::shared().await, Batches::Missing).await;
    // Long enough for twenty renewals of their own on a slow machine.
    let ttl = Duration::from_secs(6);
    let mut guards = Vec::new();
    for index in 0..20 {
        guards.push(front.guard(&name(&format!("older-{index}")), ttl).await);
    }
    tokio::time::sleep(ttl).await;
    // A second batch may have been on its way when the first was refused.
    let (batches, _, extends) = front.counted();
    assert!((1..3).contains(&batches) && extends >= 20, "{batches} batches, {extends} extends");
    assert!(guards.iter().all(Guard::is_held));
    for guard in guards {
        guard.release().await.expect("released");
    }
}

#[tokio::test]
async fn an_item_whose_outcome_is_unknown_is_asked_for_again_singly() {
    let front = Front::new(Replica::shared().await, Batches::FirstUnknown).await;
    let ttl = Duration::from_secs(6);
    let one = front.guard(&name("one"), ttl).await;
    let two = front.guard(&name("two"), ttl).await;
    let ends = [&one, &two].map(|guard| guard.lease().borrow().ends);
    let renewed = || async {
        let now = [&one, &two].map(|guard| guard.lease().borrow().ends);
        now[0] > ends[0] && now[1] > ends[1]
    };
    eventually("both are renewed", ttl, renewed).await;
    let (batches, items, extends) = front.counted();
    assert!(batches >= 1 && extends >= 1, "{batches} batches with {items} items, {extends} extends");
    *front.what.lock().expect("what to do") = Batches::Pass;
    one.release().await.expect("released");
    two.release().await.expect("released");
}

#[tokio::test]
async fn a_batch_whose_answer_is_lost_is_sent_again_and_costs_nothing() {
    let api = Replica::shared().await;
    let link = Proxy::to_replica(&api).await;
    let client = client(link.http_url());
    let ttl = Duration::from_secs(9);
    let (one, two) = (name("one"), name("two"));
    let first = client.lock(&one).ttl(ttl).acquire().await.expect("a lock");
    let second = client.lock(&two).ttl(ttl).acquire().await.expect("a lock");
    let updated = api.state(&one).await["updatedAt"].clone();
    let token = first.lease().borrow().token.clone();
    link.set(Mode::SwallowReplies);
    eventually("a renewal is executed", Duration::from_secs(8), || async {
        api.state(&one).await["updatedAt"] != updated
    })
    .await;
    let ends = first.lease().borrow().ends;
    link.set(Mode::Pass);
    link.cut();
    eventually("it is confirmed", Duration::from_secs(5), || async { first.lease().borrow().ends > ends }).await;
    assert!(first.is_held() && second.is_held() && first.lease().borrow().token == token);
    first.release().await.expect("released");
    second.release().await.expect("released");
}

#[tokio::test]
async fn without_the_server_all_are_lost_before_their_leases_end() {
    let api = Replica::shared().await;
    for mode in [Mode::SwallowRequests, Mode::Refuse] {
        let link = Proxy::to_replica(&api).await;
        let client = client(link.http_url());
        let mut guards = Vec::new();
        for index in 0..3 {
            let request = client.lock(name(&format!("cut-{index}"))).ttl(TTL).grace(TTL / 5);
            guards.push(request.acquire().await.expect("a lock"));
        }
        tokio::time::sleep(TTL).await;
        match mode {
            Mode::Refuse => link.sever(),
            _ => link.set(mode),
        }
        for guard in &guards {
            let lost = tokio::time::timeout(TTL * 2, guard.lost()).await.expect("in time");
            assert!(matches!(lost, Lost::Unconfirmed(Some(_))), "{lost:?}");
            let left = guard.lease().borrow().ends.left();
            assert!(left > TTL / 20 && left <= TTL / 5, "{left:?} before the end of the lease");
        }
    }
}
