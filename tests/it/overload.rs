//! More requests than a replica can serve.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet, time::sleep_until};

use crate::harness::{Api, Mode, Proxy, Redis, Replica, eventually, lock_path, name, token};

/// How long Redis takes to reply, and how many requests may wait for it before acquires are refused: so a replica serves
/// 200 requests a second, the extends and releases among them.
const ROUND_TRIP: Duration = Duration::from_millis(40);
const MOST: usize = 8;
const CAPACITY: f64 = 200.0;
const SECONDS: f64 = 4.0;

/// What came of the requests of one kind: how long those took that were served, and how many were refused.
#[derive(Debug, Default)]
struct Outcome {
    took: Vec<Duration>,
    refused: usize,
}

impl Outcome {
    fn count(&mut self, status: u16, took: Duration) {
        match status {
            200 | 204 => self.took.push(took),
            503 => self.refused += 1,
            other => panic!("{other}"),
        }
    }

    /// Sorts the times, and gives the one that 99 of 100 don't exceed.
    fn p99(&mut self) -> Duration {
        self.took.sort_unstable();
        self.took[self.took.len() * 99 / 100]
    }
}

/// Sends so many acquires a second, of which each that is granted is extended and released. At most so many clients wait for
/// an answer at once, so that what a slow machine is late with does not come in one burst.
async fn flood(api: &Api, rate: f64, at_once: usize) -> (Outcome, Outcome) {
    let begun = Instant::now();
    let (mut clients, turns) = (JoinSet::new(), Arc::new(Semaphore::new(at_once)));
    for number in 0..(rate * SECONDS) as u32 {
        let (api, turns) = (api.clone(), turns.clone());
        clients.spawn(async move {
            sleep_until((begun + Duration::from_secs_f64(f64::from(number) / rate)).into()).await;
            let _turn = turns.acquire().await.expect("nobody closes it");
            let (mut acquires, mut others) = (Outcome::default(), Outcome::default());
            let resource = name("flood");
            let sent = Instant::now();
            let answer = api.acquire(&resource, "me", 30).await;
            acquires.count(answer.status, sent.elapsed());
            if answer.status == 200 {
                let lock = answer.json();
                let sent = Instant::now();
                let extended = api.extend(&resource, token(&lock), 30).await;
                others.count(extended.status, sent.elapsed());
                if extended.status == 200 {
                    let sent = Instant::now();
                    others.count(api.release(&resource, token(&extended.json())).await.status, sent.elapsed());
                }
            } else {
                assert_eq!((answer.code().as_str(), answer.header("retry-after")), ("overloaded", Some("1")));
            }
            (acquires, others)
        });
    }
    let mut all = (Outcome::default(), Outcome::default());
    for (acquires, others) in clients.join_all().await {
        for (sum, one) in [(&mut all.0, acquires), (&mut all.1, others)] {
            sum.took.extend(one.took);
            sum.refused += one.refused;
        }
    }
    all
}

#[tokio::test]
async fn at_three_times_the_capacity_every_holder_extends_and_releases() {
    let redis = Redis::start(&[]);
    let link = Proxy::to(&redis).await;
    let most = MOST.to_string();
    let replica = Replica::with(
        &link.url(),
        &[("GORILLA__LIMITS__MAX_IN_FLIGHT", &most), ("GORILLA__REDIS__COMMAND_TIMEOUT", "20s")],
    )
    .await;
    link.set(Mode::DelayReplies(ROUND_TRIP));
    let (mut calm, _) = flood(&replica.api, CAPACITY / 10.0, MOST / 2).await;
    let (mut acquires, mut others) = flood(&replica.api, 3.0 * CAPACITY, 6 * MOST).await;
    let (unloaded, loaded, holders) = (calm.p99(), acquires.p99(), others.p99());
    println!(
        "unloaded p99 {unloaded:?}; at 3 x the capacity: {} granted of {}, p99 {loaded:?}, extends and releases {} with p99 \
         {holders:?}, {} refused",
        acquires.took.len(),
        acquires.took.len() + acquires.refused,
        others.took.len(),
        others.refused
    );
    assert_eq!(calm.refused, 0);
    assert_eq!((others.refused, others.took.len()), (0, 2 * acquires.took.len()));
    assert!(acquires.refused > 0, "it was too much");
    // How many are refused and served depends on what else the machine does, as the times do.
    let (served, could) = ((acquires.took.len() + others.took.len()) as f64, CAPACITY * SECONDS);
    println!("served {served} of the {could} that it can");
    let metrics = replica.api.get("/metrics").await.text;
    let line = format!("gorilla_shed_total{{class=\"acquire\"}} {}", acquires.refused);
    assert!(metrics.contains(&line), "{line}");
    // It is over at once.
    assert_eq!(replica.api.acquire(&name("after"), "me", 30).await.status, 200);
}

#[tokio::test]
async fn lists_are_refused_before_looks_and_looks_before_acquires_and_extends_never() {
    let redis = Redis::start(&[]);
    let link = Proxy::to(&redis).await;
    let settings = [
        ("GORILLA__LIMITS__MAX_IN_FLIGHT", "8"),
        ("GORILLA__REDIS__COMMAND_TIMEOUT", "20s"),
        // It would wait for Redis as well.
        ("GORILLA__EVENTS__PULSE", "false"),
    ];
    let replica = Replica::with(&link.url(), &settings).await;
    let (api, held) = (&replica.api, name("held"));
    let mut lock = api.granted(&held, "me", 300).await;
    for (filled, served) in [(3, 4), (4, 3), (6, 2), (8, 1)] {
        for kind in 0..4 {
            link.set(Mode::HoldReplies);
            let fill = (0..filled).map(|_| {
                let (api, resource) = (api.clone(), name("fill"));
                async move { api.acquire(&resource, "me", 30).await.status }
            });
            let fill: JoinSet<_> = fill.collect();
            waiting(api, filled).await;
            let asked = {
                let (api, held, token) = (api.clone(), held.clone(), token(&lock).to_string());
                tokio::spawn(async move {
                    match kind {
                        0 => api.extend(&held, &token, 300).await,
                        1 => api.acquire(&name("one-more"), "me", 30).await,
                        2 => api.get(&lock_path(&held)).await,
                        _ => api.get("/api/v1/locks?prefix=nothing").await,
                    }
                })
            };
            if kind < served {
                // A refusal would come meanwhile: it does not wait for Redis.
                tokio::time::sleep(Duration::from_millis(200)).await;
                link.set(Mode::Pass);
            }
            let answer = asked.await.expect("no panic");
            link.set(Mode::Pass);
            let expected = if kind < served { 200 } else { 503 };
            assert_eq!(answer.status, expected, "request {kind} while {filled} wait: {answer:?}");
            if kind == 0 {
                lock = answer.json();
            }
            assert!(fill.join_all().await.iter().all(|status| *status == 200));
        }
    }
}

/// Waits until so many requests wait for Redis.
async fn waiting(api: &Api, requests: usize) {
    let line = format!("in_flight {requests}.0\n");
    eventually("they wait for Redis", Duration::from_secs(15), || async {
        api.get("/metrics").await.text.contains(&line)
    })
    .await;
}
