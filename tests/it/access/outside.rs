//! What is open to everybody: how much it tells, and how little it costs.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{everything, guarded};
use crate::harness::{AccessFile, Key, Redis, Replica, eventually, key_entry, name};

/// A file with a key that may do all.
fn keys() -> AccessFile {
    AccessFile::new(&(everything("all") + &key_entry("ops", "all", &Key::new("ops"), "")))
}

/// How often Redis was asked for this since it began.
fn calls(redis: &Redis, command: &str) -> u64 {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|rest| rest.split(',').next()).map_or(0, |calls| calls.parse().expect("a number"))
}

#[tokio::test]
async fn a_flood_of_questions_for_readiness_costs_redis_ten_looks_a_second() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let begun = std::time::Instant::now();
    let before = calls(&redis, "info");
    let mut asked = 0;
    // A slow machine takes longer to ask so often.
    while begun.elapsed() < Duration::from_secs(2) || asked <= 10 * 64 {
        let answers = join_all((0..64).map(|_| replica.api.get("/_ready"))).await;
        asked += answers.iter().filter(|answer| answer.status == 200).count();
    }
    // The test itself asked once.
    let looks = calls(&redis, "info") - before - 1;
    let most = u64::try_from(begun.elapsed().as_millis() / 100).expect("it is short") + 1;
    assert!(looks >= 2 && looks <= most, "{looks} looks, of which {most} were allowed, for {asked} questions");
}

#[tokio::test]
async fn why_a_replica_is_not_ready_is_in_its_log_where_keys_are_demanded() {
    let redis = Redis::start(&[]);
    let open = Replica::on(&redis).await;
    let file = keys();
    let path = file.path();
    let closed = Replica::with(&redis.url(), &[("GORILLA__AUTH__FILE", path.to_str().expect("UTF-8"))]).await;
    redis.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    for (replica, tells) in [(&open, true), (&closed, false)] {
        eventually("it is not ready", Duration::from_secs(5), || async {
            replica.api.get("/_ready").await.status == 503
        })
        .await;
        let answer = replica.api.get("/_ready").await;
        assert_eq!(answer.code(), "not_ready");
        assert_eq!(answer.text.contains("allkeys-lru"), tells, "{answer:?}");
        eventually("the log says why", Duration::from_secs(5), || async {
            let log = replica.log();
            log.lines().any(|line| line.contains("not ready: ") && line.contains("allkeys-lru"))
        })
        .await;
    }
    redis.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    eventually("the log says that it is over", Duration::from_secs(5), || async {
        closed.api.get("/_ready").await.status == 200 && closed.log().contains("ready again")
    })
    .await;
    assert_eq!(guarded(&keys()).await.api.get("/_ready").await.status, 200);
}

#[tokio::test]
async fn the_log_names_the_client_behind_trusted_proxies_and_believes_nobody_else() {
    let headers = [("X-Forwarded-For", "6.6.6.6, 192.0.2.7"), ("X-Forwarded-For", "10.1.2.3")];
    for (trusted, seen) in [("127.0.0.0/8, 10.0.0.0/8", "192.0.2.7"), ("10.0.0.0/8", "127.0.0.1"), ("", "127.0.0.1")] {
        let settings = [("GORILLA__SERVER__TRUSTED_PROXIES", trusted)];
        let replica = Replica::with(&Redis::shared().url(), &settings).await;
        let resource = name("forwarded");
        replica.api.granted(&resource, "holder", 60).await;
        let broken = replica.api.break_lock(&resource, &json!({"reason": "it is gone"}), &headers).await;
        assert_eq!(broken.status, 200, "{broken:?}");
        let line = || replica.log().lines().find(|line| line.contains("gorilla::audit")).map(String::from);
        eventually("the log has it", Duration::from_secs(5), || async { line().is_some() }).await;
        let line: Value = serde_json::from_str(&line().expect("it was there")).expect("JSON");
        let peer = line["peer"].as_str().expect("a text");
        assert_eq!(peer.split(':').next(), Some(seen), "{trusted}: {line}");
    }
    for wrong in ["proxy.example.com", "10.0.0.0/33", "10.0.0.1:80"] {
        let output = std::process::Command::new(Replica::program())
            .args(["config", "check"])
            .env("GORILLA__SERVER__TRUSTED_PROXIES", wrong)
            .output()
            .expect("gorilla starts");
        assert_eq!(output.status.code(), Some(78), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("must be a list of IP addresses and networks"), "{said}");
    }
}
