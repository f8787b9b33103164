//! `redis.failover_grace`: after data may have been lost, grants wait until what was lost has run out.

mod failover;
mod restart;
mod waiters;

use std::time::{Duration, Instant};

use crate::harness::{Answer, Api, Redis, Replica, name};

/// The grace, and the longest lease.
const GRACE: Duration = Duration::from_secs(4);
const SETTINGS: [(&str, &str); 2] = [("GORILLA__REDIS__FAILOVER_GRACE", "4s"), ("GORILLA__LIMITS__MAX_TIMEOUT", "4s")];
/// What a busy machine may add to it.
const BUSY: Duration = Duration::from_secs(4);

/// A replica that has the option on.
async fn replica(url: &str) -> Replica {
    Replica::with(url, &SETTINGS).await
}

/// Two of them on one server, where grants don't wait any longer.
async fn settled(redis: &Redis) -> [Replica; 2] {
    let replicas = [replica(&redis.url()).await, replica(&redis.url()).await];
    over(&replicas[0].api, Instant::now()).await;
    replicas
}

/// Asserts that an acquire was refused because it has to wait, and says sensibly for how long.
#[track_caller]
fn assert_recovering(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (503, "recovering"), "{answer:?}");
    let body = answer.json();
    assert_eq!(body["outcome"], "not_executed", "{answer:?}");
    let left = body["recoveringMs"].as_u64().expect("a number");
    assert!((1..=GRACE.as_millis() as u64).contains(&left), "{answer:?}");
    assert_eq!(answer.header("Retry-After"), Some(left.div_ceil(1000).to_string().as_str()), "{answer:?}");
}

/// Waits until a lock is granted. Until then, once Redis can be reached, each acquire is refused because it has to
/// wait. Returns when, on the clock of `since`.
async fn over(api: &Api, since: Instant) -> Duration {
    let resource = name("over");
    loop {
        let answer = api.acquire(&resource, "me", 1).await;
        match answer.code().as_str() {
            "" => return since.elapsed(),
            "redis_unavailable" | "redis_refused" | "outcome_unknown" => {}
            _ => assert_recovering(&answer),
        }
        assert!(since.elapsed() < 3 * (GRACE + BUSY), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until grants wait: the replicas have reached Redis again.
async fn begun(replicas: &[&Replica]) {
    for replica in replicas {
        let begun = Instant::now();
        loop {
            let answer = replica.api.acquire(&name("begun"), "me", 1).await;
            if answer.code() == "recovering" {
                break;
            }
            assert!(answer.status != 200 && begun.elapsed() < BUSY, "{answer:?}");
        }
    }
}
