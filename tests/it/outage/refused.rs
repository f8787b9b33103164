//! Redis answers that it can't serve now.

use std::{fs, io::Write, net::TcpStream, time::Duration};

use futures_util::future::join_all;

use super::{
    RECOVERED, Scene, assert_lost_because, assert_not_executed, assert_not_ready, in_time, is_freed, recovers,
};
use crate::harness::{Api, Mode, Redis, Replica, eventually, lock_path, name, token};

/// Asserts that an acquire is refused for the given reason.
async fn assert_acquire_refused(api: &Api, prefix: &str) {
    let answer = in_time(api.acquire(&name("refused"), "me", 30)).await;
    assert_not_executed(&answer, "redis_refused");
    assert!(answer.json()["errorMessage"].to_string().contains(prefix), "{answer:?}");
}

/// The same, and that load balancers are told.
async fn assert_refused(api: &Api, prefix: &str) {
    assert_acquire_refused(api, prefix).await;
    assert_not_ready(api, prefix).await;
}

fn configure(redis: &Redis, name: &str, value: &str) {
    assert_eq!(redis.cli(&["CONFIG", "SET", name, value]), "OK");
}

/// Has Redis begin something that takes long. It goes on until it is done or told to stop, answered or not.
fn begin(redis: &Redis, command: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port)).expect("Redis accepts");
    stream.write_all(format!("{command}\r\n").as_bytes()).expect("Redis reads");
    stream
}

#[tokio::test]
async fn out_of_memory_refuses_new_locks_while_extend_and_release_work() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("oom"));
    let (lock, to_break) = (api.granted(&resource, "me", 30).await, name("oom"));
    api.granted(&to_break, "me", 30).await;

    configure(&redis, "maxmemory", "1");
    assert_acquire_refused(api, "OOM").await;
    // A load balancer that took the replica out would keep the holders from what still works.
    assert_eq!(in_time(api.get("/_ready")).await.status, 200);
    assert_eq!(api.get(&lock_path(&resource)).await.status, 200);
    let extended = api.extend_with(&resource, token(&lock), 60, &[("Idempotency-Key", "e")]).await;
    assert_eq!(extended.status, 200, "{extended:?}");
    let released = api.release_with(&resource, token(&extended.json()), &[("Idempotency-Key", "r")]).await;
    assert_eq!(released.status, 204, "{released:?}");
    assert_eq!(api.break_lock(&to_break, &serde_json::json!({}), &[]).await.status, 200);

    configure(&redis, "maxmemory", "0");
    recovers(api).await;
}

#[tokio::test]
async fn a_redis_that_lacks_its_replicas_refuses_writes_and_still_tells_the_state() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("noreplicas"));
    let lock = api.granted(&resource, "me", 30).await;

    configure(&redis, "min-replicas-to-write", "1");
    assert_refused(api, "NOREPLICAS").await;
    assert_not_executed(&api.release(&resource, token(&lock)).await, "redis_refused");
    assert_eq!(api.status(&resource, token(&lock)).await.status, 200);

    configure(&redis, "min-replicas-to-write", "0");
    recovers(api).await;
    assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
}

#[tokio::test]
async fn a_redis_that_cannot_save_refuses_writes() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let snapshot = redis.folder().join("dump.rdb");
    configure(&redis, "save", "3600 1");
    // A folder where the snapshot belongs keeps even root from saving.
    fs::create_dir(&snapshot).expect("the folder of Redis can be written to");
    redis.cli(&["BGSAVE"]);
    let saved =
        |status: &str| redis.cli(&["INFO", "persistence"]).contains(&format!("rdb_last_bgsave_status:{status}"));
    eventually("the snapshot failed", Duration::from_secs(5), || async { saved("err") }).await;

    assert_refused(&replica.api, "MISCONF").await;

    fs::remove_dir(&snapshot).expect("it is empty");
    redis.cli(&["BGSAVE"]);
    eventually("the snapshot succeeded", Duration::from_secs(5), || async { saved("ok") }).await;
    recovers(&replica.api).await;
}

#[tokio::test]
async fn a_redis_that_runs_somebodys_endless_script_refuses_everything() {
    let redis = Redis::start(&["--busy-reply-threshold", "50"]);
    let replica = Replica::on(&redis).await;
    let endless = begin(&redis, "EVAL \"while true do end\" 0");
    eventually("Redis says that it is busy", Duration::from_secs(5), || async {
        redis.cli(&["PING"]).contains("BUSY")
    })
    .await;

    assert_refused(&replica.api, "BUSY").await;
    let state = replica.api.get(&lock_path("any")).await;
    assert_not_executed(&state, "redis_refused");

    assert_eq!(redis.cli(&["SCRIPT", "KILL"]), "OK");
    recovers(&replica.api).await;
    drop(endless);
}

#[tokio::test]
async fn a_redis_that_loads_its_data_refuses_everything_until_it_has() {
    let mut redis = Redis::start(&["--loading-process-events-interval-bytes", "1024"]);
    let replica = Replica::on(&redis).await;
    redis.cli(&["DEBUG", "POPULATE", "1500"]);
    configure(&redis, "key-load-delay", "1000");

    let loading = begin(&redis, "DEBUG RELOAD");
    eventually("Redis says that it loads", Duration::from_secs(5), || async {
        redis.cli(&["GET", "x"]).contains("LOADING")
    })
    .await;
    assert_refused(&replica.api, "LOADING").await;
    let loaded = |redis: &Redis| !redis.cli(&["GET", "x"]).contains("LOADING");
    eventually("Redis has loaded", Duration::from_secs(20), || async { loaded(&redis) }).await;
    drop(loading);
    recovers(&replica.api).await;

    // The same on connections that are opened while it loads.
    assert_eq!(redis.cli(&["CONFIG", "SET", "appendonly", "no"]), "OK");
    redis.cli(&["SAVE"]);
    redis.stop();
    redis.run_with(&["--appendonly", "no", "--key-load-delay", "1000"]);
    assert!(!loaded(&redis), "it takes its time");
    while !loaded(&redis) {
        let answer = in_time(replica.api.acquire(&name("loading"), "me", 30)).await;
        if answer.status != 200 || !loaded(&redis) {
            assert_eq!((answer.status, &answer.json()["outcome"]), (503, &"not_executed".into()), "{answer:?}");
        }
    }
    recovers(&replica.api).await;
}

#[tokio::test]
async fn a_demoted_redis_refuses_writes_until_it_is_master_again() {
    let redis = Redis::start(&[]);
    // Its pulse would be a write as well, and the first that is refused.
    let replica = Replica::with(&redis.url(), &[("GORILLA__EVENTS__PULSE", "false")]).await;
    let api = &replica.api;

    redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let answer = in_time(api.acquire(&name("readonly"), "me", 30)).await;
    assert_not_executed(&answer, "redis_refused");
    assert!(answer.json()["errorMessage"].to_string().contains("READONLY"), "{answer:?}");
    // From here on the replica looks for the master, and what it finds is still read-only. The replica drops a
    // connection for that, which must not make unknown outcomes of commands that Redis is about to refuse.
    for _ in 0..20 {
        let resources: Vec<_> = (0..20).map(|_| name("readonly")).collect();
        for answer in join_all(resources.iter().map(|resource| in_time(api.acquire(resource, "me", 30)))).await {
            assert!(["redis_refused", "redis_unavailable"].contains(&answer.code().as_str()), "{answer:?}");
            assert_not_executed(&answer, &answer.code());
        }
        assert_not_ready(api, "").await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    assert_lost_because(&replica, "Redis is no longer the master").await;

    redis.cli(&["REPLICAOF", "NO", "ONE"]);
    recovers(api).await;
}

#[tokio::test]
async fn more_calls_than_may_be_in_flight_are_refused_and_health_checks_are_not() {
    let scene = Scene::with(&[("GORILLA__LIMITS__MAX_IN_FLIGHT", "1")]).await;
    let api = scene.api();
    scene.link.set(Mode::DelayReplies(Duration::from_millis(300)));

    let resources: Vec<_> = (0..4).map(|_| name("in-flight")).collect();
    let answers = join_all(resources.iter().map(|resource| api.acquire(resource, "me", 30))).await;
    let (granted, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((granted.len(), refused.len()), (1, 3), "{answers:?}");
    for answer in refused {
        assert_not_executed(answer, "overloaded");
    }
    let resource = name("in-flight");
    let (waiting, ready) = tokio::join!(api.acquire(&resource, "me", 30), api.get("/_ready"));
    assert_eq!((waiting.status, ready.status), (200, 200), "{ready:?}");
    // What was refused was not sent, so nothing is left to undo.
    assert!(!scene.replica.log().contains("cancelled an acquire"));

    scene.link.set(Mode::Pass);
    recovers(api).await;
    // A client that left has given its place back.
    scene.link.set(Mode::DelayReplies(Duration::from_millis(300)));
    let left = name("in-flight");
    let _ = tokio::time::timeout(Duration::from_millis(100), api.acquire(&left, "me", 30)).await;
    is_freed(scene.redis, &left).await;
    eventually("there is room again", RECOVERED, || async {
        api.acquire(&name("in-flight"), "me", 30).await.status == 200
    })
    .await;
}
