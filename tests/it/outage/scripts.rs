//! Redis forgets the scripts. Gorilla sends each script again, once, to the node that lacks it, and no client notices.

use std::time::Duration;

use crate::{
    harness::{Cluster, Redis, Replica, name, token},
    load::Load,
};

const FORGET: [&str; 3] = ["SCRIPT", "FLUSH", "SYNC"];

/// How often a server ran a command since it started, or how often the command failed there.
fn count(redis: &Redis, section: &str, line: &str, field: &str) -> u64 {
    let stats = redis.cli(&["INFO", section]);
    let line = stats.lines().find_map(|found| found.strip_prefix(&format!("{line}:")));
    let value = line.and_then(|line| line.split(',').find_map(|part| part.strip_prefix(&format!("{field}="))));
    value.and_then(|value| value.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_sent_again_unnoticed() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("forgotten"));
    for _ in 0..3 {
        assert_eq!(redis.cli(&FORGET), "OK");
        let lock = api.granted(&resource, "me", 30).await;
        assert_eq!(redis.cli(&FORGET), "OK");
        let extended = api.extend(&resource, token(&lock), 60).await;
        assert_eq!(extended.status, 200, "{extended:?}");
        assert_eq!(redis.cli(&FORGET), "OK");
        assert_eq!(api.state(&resource).await["held"], true);
        assert_eq!(redis.cli(&FORGET), "OK");
        assert_eq!(api.get("/_ready").await.status, 200);
        assert_eq!(redis.cli(&FORGET), "OK");
        assert_eq!(api.release(&resource, token(&extended.json())).await.status, 204);
    }
}

/// Has servers forget all scripts again and again under load, and asserts that no client noticed.
async fn nobody_notices(servers: &[&Redis], url: &str) {
    let replicas = [Replica::with(url, &[]).await, Replica::with(url, &[]).await];
    let load = Load::start(&[&replicas[0].api, &replicas[1].api], 12);
    for _ in 0..20 {
        for redis in servers {
            assert_eq!(redis.cli(&FORGET), "OK");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let tally = load.stop(&replicas[0].api).await;
    assert!(tally.refused + tally.unknown == 0, "{} {}", tally.refused, tally.unknown);
    let all = |section, line, field| servers.iter().map(|redis| count(redis, section, line, field)).sum::<u64>();
    let (missing, sent) =
        (all("errorstats", "errorstat_NOSCRIPT", "count"), all("commandstats", "cmdstat_eval", "calls"));
    assert!(missing >= 20, "{missing} scripts were missing");
    assert_eq!(sent, missing, "each one that was missing is sent once");
    assert_eq!(all("commandstats", "cmdstat_script|load", "calls"), 0, "and nowhere else");
    for replica in replicas {
        assert!(!replica.log().contains("NOSCRIPT"), "{}", replica.log());
    }
}

#[tokio::test]
async fn a_redis_that_forgets_its_scripts_under_load_costs_no_answer() {
    let redis = Redis::start(&[]);
    nobody_notices(&[&redis], &redis.url()).await;
}

#[tokio::test]
async fn a_cluster_whose_masters_forget_their_scripts_under_load_costs_no_answer() {
    let cluster = Cluster::start().await;
    nobody_notices(&cluster.nodes.iter().collect::<Vec<_>>(), &cluster.url()).await;
}
