//! `redis.min_replicas_ack`: Gorilla answers a success when replicas of Redis have confirmed it.

mod confirmed;
mod elsewhere;

use std::time::Duration;

use crate::harness::{Answer, Redis, Replica, eventually, name};

/// What a busy machine may need until something has gone round.
const SOON: Duration = Duration::from_secs(5);
/// The time-out is long, because a replica of Redis has half of it to confirm.
const ONE: [(&str, &str); 2] = [("GORILLA__REDIS__MIN_REPLICAS_ACK", "1"), ("GORILLA__REDIS__COMMAND_TIMEOUT", "2s")];

/// A master, a Redis that follows it, and a replica of Gorilla that wants the follower to confirm.
async fn confirming() -> (Redis, Redis, Replica) {
    let master = Redis::start(&[]);
    let follower = Redis::following(&master, master.port).await;
    let replica = Replica::with(&master.url(), &ONE).await;
    eventually("it confirms", SOON, || async { replica.api.acquire(&name("first"), "me", 1).await.status == 200 })
        .await;
    (master, follower, replica)
}

fn lock_key(resource: &str) -> String {
    format!("gorilla:{{{resource}}}:lock")
}

#[track_caller]
fn assert_not_replicated(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (503, "not_replicated"), "{answer:?}");
    assert_eq!(answer.json()["outcome"], "not_executed", "{answer:?}");
    assert_eq!(answer.header("Retry-After"), Some("1"), "{answer:?}");
}

#[track_caller]
fn assert_unknown(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (504, "outcome_unknown"), "{answer:?}");
    assert_eq!(answer.json()["outcome"], "unknown", "{answer:?}");
}
