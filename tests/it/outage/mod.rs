//! Redis that is away, hangs, refuses or is unfit, and links that lose replies: what clients are told meanwhile, what
//! is left behind, and how soon everything is well again.

mod clients;
mod down;
mod forgot;
mod hang_up;
mod hung;
mod login;
mod lost_reply;
mod refused;
mod scripts;
mod storm;
mod unfit;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::harness::{Answer, Api, Mode, Proxy, Redis, Replica, eventually, name, token};

/// Within this a client has an answer, whatever Redis does: a second of `redis.command_timeout`, and what a busy machine adds.
const ANSWERED: Duration = Duration::from_secs(3);
/// Within this after Redis's return a replica is ready again. On a machine that does nothing else it takes less than half of it.
const RECOVERED: Duration = Duration::from_secs(4);
/// Within this after the replica has reached Redis again a lock that nobody was told of is gone.
const FREED: Duration = Duration::from_secs(1);

/// A replica that reaches the shared Redis by a link that can break.
struct Scene {
    redis: &'static Redis,
    link: Proxy,
    replica: Replica,
}

impl Scene {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(settings: &[(&str, &str)]) -> Self {
        let redis = Redis::shared();
        let link = Proxy::to(redis).await;
        let replica = Replica::with(&link.url(), settings).await;
        // From now on Redis knows the scripts. Otherwise the lost reply would say that it doesn't.
        let (api, resource) = (&replica.api, name("warm-up"));
        let lock = api.granted(&resource, "me", 30).await;
        let extended = api.extend(&resource, token(&lock), 60).await.json();
        assert_eq!(api.release(&resource, token(&extended)).await.status, 204);
        Self { redis, link, replica }
    }

    fn api(&self) -> &Api {
        &self.replica.api
    }

    /// Mends the link. TCP would repeat what was lost on connections that stand; here they end instead.
    fn heal(&self) {
        self.link.set(Mode::Pass);
        self.link.cut();
    }
}

/// Waits for an answer and asserts that it came in time.
async fn in_time(answer: impl Future<Output = Answer>) -> Answer {
    let begun = Instant::now();
    let answer = answer.await;
    assert!(begun.elapsed() < ANSWERED, "an answer took {:?}: {answer:?}", begun.elapsed());
    answer
}

/// Asserts that a request did nothing and may be sent again.
fn assert_not_executed(answer: &Answer, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (503, code), "{answer:?}");
    assert_eq!(answer.json()["outcome"], "not_executed", "{answer:?}");
    assert!(answer.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok()), "{answer:?}");
}

/// Asserts that nobody knows what became of a request.
fn assert_unknown(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (504, "outcome_unknown"), "{answer:?}");
    assert_eq!(answer.json()["outcome"], "unknown", "{answer:?}");
}

/// Asserts that a replica tells load balancers to stay away, and an operator why.
async fn assert_not_ready(api: &Api, why: &str) {
    // What the replica saw a moment ago holds for 100 ms.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let answer = in_time(api.get("/_ready")).await;
    assert_not_executed(&answer, "not_ready");
    let message = answer.json()["errorMessage"].to_string();
    assert!(message.contains(why), "{message} says {why}");
}

/// Asserts that a replica has logged why its connection was of no use any more, in words that the table of symptoms
/// has.
async fn assert_lost_because(replica: &Replica, reason: &str) {
    eventually(reason, Duration::from_secs(2), || async {
        replica.log().contains(&format!("\"reason\":\"{reason}\""))
    })
    .await;
    let (_, symptoms) =
        include_str!("../../../docs/guides/symptoms.md").split_once("\n## Symptoms").expect("the table");
    assert!(symptoms.contains(&format!("`{reason}`")), "the symptoms lack {reason:?}");
}

/// Waits until a replica is ready and a lock can be taken, as long as it may take after Redis's return.
async fn recovers(api: &Api) {
    let resource = name("recovery");
    eventually("the replica serves again", RECOVERED, || async {
        api.get("/_ready").await.status == 200 && api.acquire(&resource, "me", 30).await.status == 200
    })
    .await;
}

fn is_held(redis: &Redis, resource: &str) -> bool {
    redis.cli(&["EXISTS", &format!("gorilla:{{{resource}}}:lock")]) == "1"
}

async fn is_freed(redis: &Redis, resource: &str) {
    eventually(&format!("{resource} is free"), FREED, || async { !is_held(redis, resource) }).await;
}
