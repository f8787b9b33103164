//! How a replica ends: it says that it is about to end, serves for a while, finishes what it has begun, and frees no
//! lock.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::watch, task::JoinSet};

use crate::harness::{Answer, Api, Mode, Proxy, Redis, Replica, eventually, lock_path, name, token};

/// Until a replica notices a signal, and until a test notices that a process has ended.
const SLACK: Duration = Duration::from_secs(1);

/// The command timeout keeps slow replies from counting as lost ones.
const PATIENT: [(&str, &str); 3] = [
    ("GORILLA__SERVER__DRAIN_DELAY", "500ms"),
    ("GORILLA__SERVER__DRAIN_TIMEOUT", "3s"),
    ("GORILLA__REDIS__COMMAND_TIMEOUT", "5s"),
];
const LONG_DELAY: [(&str, &str); 2] =
    [("GORILLA__SERVER__DRAIN_DELAY", "8s"), ("GORILLA__SERVER__DRAIN_TIMEOUT", "10s")];
const IMPATIENT: [(&str, &str); 3] = [
    ("GORILLA__SERVER__DRAIN_DELAY", "100ms"),
    ("GORILLA__SERVER__DRAIN_TIMEOUT", "700ms"),
    ("GORILLA__REDIS__COMMAND_TIMEOUT", "20s"),
];

/// Waits until a replica has ended within `limit` of `since`, with exit code 0.
pub async fn ends(replica: &mut Replica, since: Instant, limit: Duration) {
    let status = loop {
        if let Some(status) = replica.process.child.try_wait().expect("a child can be waited for") {
            break status;
        }
        assert!(since.elapsed() < limit, "still there after {limit:?}:\n{}", replica.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(status.code(), Some(0), "{}", replica.log());
}

async fn is_draining(api: &Api) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = api.get("/_ready").await;
        if answer.status == 503 {
            return answer;
        }
        assert!(begun.elapsed() < SLACK, "ready after a signal: {answer:?}");
    }
}

#[tokio::test]
async fn a_replica_told_to_end_is_first_not_ready_and_still_serves() {
    let mut replica = Replica::with(&Redis::shared().url(), &PATIENT).await;
    let (api, resource) = (replica.api.clone(), name("drain"));
    let lock = api.granted(&resource, "me", 60).await;

    replica.process.signal(Signal::TERM);
    let told = Instant::now();
    let not_ready = is_draining(&api).await;
    assert_eq!((not_ready.code().as_str(), not_ready.header("retry-after")), ("draining", Some("1")), "{not_ready:?}");

    let served = api.acquire(&name("drain"), "me", 60).await;
    assert_eq!((served.status, served.header("connection")), (200, Some("close")), "{served:?}");
    assert_eq!(api.get("/_health").await.status, 200);
    assert!(told.elapsed() < Duration::from_millis(500), "this was within the delay");

    ends(&mut replica, told, Duration::from_secs(3)).await;
    assert!(told.elapsed() >= Duration::from_millis(500), "it waited for load balancers to notice");
    let other = Replica::start().await;
    assert_eq!(other.api.status(&resource, token(&lock)).await.status, 200, "its locks stay held");
}

#[tokio::test]
async fn requests_in_flight_get_their_answers() {
    let link = Proxy::to(Redis::shared()).await;
    let mut replica = Replica::with(&link.url(), &PATIENT).await;
    let (first, second) = (name("in-flight"), name("in-flight"));
    let lock = replica.api.granted(&first, "me", 60).await;
    // They outlast the delay, so the replica waits for them in earnest.
    link.set(Mode::DelayReplies(Duration::from_millis(900)));
    let extending = tokio::spawn({
        let (api, token) = (replica.api.clone(), token(&lock).to_string());
        async move { api.extend(&first, &token, 90).await }
    });
    let acquiring = tokio::spawn({
        let (api, resource) = (replica.api.clone(), second.clone());
        async move { api.acquire(&resource, "me", 60).await }
    });
    let key = format!("gorilla:{{{second}}}:lock");
    eventually("both are in flight", SLACK, || async { Redis::shared().cli(&["EXISTS", &key]) == "1" }).await;

    replica.process.signal(Signal::TERM);
    let told = Instant::now();
    for asked in [extending, acquiring] {
        let answer = asked.await.expect("a client is answered");
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
    }
    ends(&mut replica, told, Duration::from_secs(3)).await;
    assert_eq!(Redis::shared().cli(&["EXISTS", &key]), "1", "what was answered stays held");
}

#[tokio::test]
async fn a_quit_drains_as_a_terminate_does() {
    let mut replica = Replica::with(&Redis::shared().url(), &PATIENT).await;
    replica.process.signal(Signal::QUIT);
    let told = Instant::now();
    is_draining(&replica.api).await;
    ends(&mut replica, told, Duration::from_secs(3)).await;
}

#[tokio::test]
async fn signals_that_mean_nothing_to_a_replica_leave_it_as_it_is() {
    let replica = Replica::start().await;
    for signal in [Signal::HUP, Signal::USR1, Signal::USR2, Signal::ALARM] {
        let before = replica.log().matches("a signal changed nothing").count();
        replica.process.signal(signal);
        eventually("the replica has noticed", SLACK, || async {
            replica.log().matches("a signal changed nothing").count() > before
        })
        .await;
        assert_eq!(replica.api.get("/_ready").await.status, 200);
    }
}

#[tokio::test]
async fn an_interrupt_skips_the_delay() {
    let mut replica = Replica::with(&Redis::shared().url(), &LONG_DELAY).await;
    replica.process.signal(Signal::INT);
    ends(&mut replica, Instant::now(), SLACK).await;
}

#[tokio::test]
async fn an_interrupt_cuts_a_delay_short_that_has_begun() {
    let mut replica = Replica::with(&Redis::shared().url(), &LONG_DELAY).await;
    replica.process.signal(Signal::TERM);
    is_draining(&replica.api).await;
    replica.process.signal(Signal::INT);
    ends(&mut replica, Instant::now(), SLACK).await;
}

#[tokio::test]
async fn idle_connections_do_not_hold_a_replica_up() {
    let mut replica = Replica::with(&Redis::shared().url(), &LONG_DELAY).await;
    // One that has been used and is kept alive, and one on which nothing was ever sent.
    assert_eq!(replica.api.get("/_health").await.status, 200);
    let silent = TcpStream::connect(&replica.api.address).await.expect("it accepts");
    assert_eq!(replica.api.get("/_health").await.status, 200);

    replica.process.signal(Signal::INT);
    ends(&mut replica, Instant::now(), SLACK).await;
    drop(silent);
}

#[tokio::test]
async fn a_request_that_hangs_does_not_hold_a_replica_up_for_longer_than_the_drain_timeout() {
    let link = Proxy::to(Redis::shared()).await;
    let mut replica = Replica::with(&link.url(), &IMPATIENT).await;
    link.set(Mode::SwallowRequests);
    let api = replica.api.clone();
    let hanging = tokio::spawn(async move { api.try_send(reqwest::Method::GET, &lock_path("hang"), &[], None).await });
    // And a client that never finishes its request.
    let mut slow = TcpStream::connect(&replica.api.address).await.expect("it accepts");
    let head = "POST /api/v1/locks/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30\r\n\r\n{\"owner\"";
    slow.write_all(head.as_bytes()).await.expect("it reads");
    // Once a later request has been answered, the replica is serving the accepted requests.
    assert_eq!(replica.api.get("/_health").await.status, 200);

    replica.process.signal(Signal::TERM);
    let told = Instant::now();
    ends(&mut replica, told, Duration::from_millis(700) + SLACK).await;
    assert!(told.elapsed() >= Duration::from_millis(600), "it waited for them as long as it may");
    let answer = hanging.await.expect("the client ends");
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test]
async fn an_acquire_that_lost_its_client_is_undone_before_a_replica_ends() {
    let link = Proxy::to(Redis::shared()).await;
    let mut replica = Replica::with(&link.url(), &PATIENT).await;
    let resource = name("orphan");
    replica.api.granted(&name("warm-up"), "me", 1).await;
    link.set(Mode::DelayReplies(Duration::from_millis(400)));
    let client = tokio::spawn({
        let (api, resource) = (replica.api.clone(), resource.clone());
        async move { api.acquire(&resource, "me", 60).await }
    });
    let key = format!("gorilla:{{{resource}}}:lock");
    let held = || async { Redis::shared().cli(&["EXISTS", &key]) == "1" };
    eventually("Redis has executed it", SLACK, held).await;

    client.abort();
    replica.process.signal(Signal::INT);
    ends(&mut replica, Instant::now(), Duration::from_secs(3)).await;
    assert!(!held().await);
}

/// What a load balancer knows: the replicas that are ready.
type Pool = Arc<Mutex<Vec<Api>>>;

/// Takes and frees locks until told to stop, and panics if a request is lost.
async fn work(pool: Pool, run: watch::Receiver<bool>) -> u32 {
    let mut cycles = 0;
    let send = async |method: reqwest::Method, path: String, body: Option<String>| {
        let api = {
            let pool = pool.lock().expect("no client panicked");
            pool[fastrand::usize(0..pool.len())].clone()
        };
        let answer = api.try_send(method, &path, &[], body).await;
        answer.unwrap_or_else(|error| panic!("{} was sent a request and lost it: {error:?}", api.address))
    };
    while *run.borrow() {
        let path = lock_path(&name("rolling"));
        let body = json!({ "owner": "me", "timeout": 60 }).to_string();
        let answer = send(reqwest::Method::POST, path.clone(), Some(body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let released = send(reqwest::Method::DELETE, format!("{path}/{}", token(&answer.json())), None).await;
        assert_eq!(released.status, 204, "{released:?}");
        cycles += 1;
    }
    cycles
}

#[tokio::test]
async fn a_rolling_restart_loses_no_request_of_clients_that_look_whether_a_replica_is_ready() {
    let url = Redis::shared().url();
    let (mut old, other) = tokio::join!(Replica::with(&url, &PATIENT), Replica::with(&url, &PATIENT));
    let pool = Pool::new(Mutex::new(vec![old.api.clone(), other.api.clone()]));
    let (running, run) = watch::channel(true);
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        clients.spawn(work(Arc::clone(&pool), run.clone()));
    }
    let set = |replicas: &[&Replica]| {
        *pool.lock().expect("no client panicked") = replicas.iter().map(|replica| replica.api.clone()).collect();
    };

    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        old.process.signal(Signal::TERM);
        let told = Instant::now();
        is_draining(&old.api).await;
        set(&[&other]);
        ends(&mut old, told, Duration::from_secs(3)).await;
        old = Replica::with(&url, &PATIENT).await;
        set(&[&old, &other]);
    }
    running.send_replace(false);
    let cycles = clients.join_all().await;
    assert!(cycles.iter().all(|cycles| *cycles > 0), "{cycles:?}");
}
