//! `?after=` and `wait`: a look at an election that waits for news.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{elected, keep, leader, path, resign};
use crate::harness::{
    AccessFile, Api, Key, Mode, Proxy, Redis, Replica, Signal, eventually, key_entry, name, role, token,
};

/// Looks with these parameters, in a task of its own.
fn watch(api: &Api, election: &str, query: String) -> JoinHandle<Value> {
    let (api, election) = (api.clone(), election.to_string());
    tokio::spawn(async move { leader(&api, &election, &query).await })
}

#[tokio::test]
async fn news_come_through_other_replicas_and_a_leader_that_stays_is_none() {
    let redis = Redis::shared();
    let (one, two) = (Replica::on(redis).await, Replica::on(redis).await);
    let (one, two) = (&one.api, &two.api);
    let election = name("news");
    let mut known = String::from("none");
    for round in 0..3 {
        let watching = watch(two, &election, format!("?after={known}&wait=30"));
        let leads = elected(one, &election, "one", 30.0).await;
        let seen = watching.await.expect("no panic");
        assert_eq!(seen["term"], leads["term"], "{round}: {seen}");
        // What is known is no news, although the leader keeps its lease.
        let begun = Instant::now();
        let watching = watch(two, &election, format!("?after={}&wait=1.5", leads["term"]));
        let leads = keep(one, &election, token(&leads), &json!({ "timeout": 30 })).await.json();
        let seen = watching.await.expect("no panic");
        assert_eq!(seen["term"], leads["term"], "{seen}");
        assert!(begun.elapsed() >= Duration::from_millis(1500), "{seen} after {:?}", begun.elapsed());
        assert!(seen["waitedMs"].as_u64() >= Some(1500), "{seen}");

        let watching = watch(two, &election, format!("?after={}&wait=30", leads["term"]));
        assert_eq!(resign(one, &election, token(&leads)).await.status, 204);
        let begun = Instant::now();
        assert_eq!(watching.await.expect("no panic")["leader"], Value::Null);
        assert!(begun.elapsed() < Duration::from_secs(20), "a vacancy was told after {:?}", begun.elapsed());
        known = "none".into();
    }
    // Whoever knows an earlier term is told of a later one at once, and of none that is earlier.
    let leads = elected(one, &election, "one", 30.0).await;
    assert_eq!(leader(two, &election, "?after=1&wait=30").await["term"], leads["term"]);
    let later = leads["term"].as_u64().expect("a term") + 1;
    let begun = Instant::now();
    leader(two, &election, &format!("?after={later}&wait=1")).await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "an earlier term is no news");
}

#[tokio::test]
async fn the_end_of_a_lease_is_news_and_what_is_left_of_it_counts_from_the_look() {
    let redis = Redis::shared();
    let (one, two) = (Replica::on(redis).await, Replica::on(redis).await);
    let election = name("expiry");
    let leads = elected(&one.api, &election, "one", 3.0).await;
    let granted = Instant::now();
    // The answer at the end of this wait tells a lease that began long before it was sent.
    let sent = Instant::now();
    let seen = leader(&two.api, &election, &format!("?after={}&wait=1", leads["term"])).await;
    let [waited, left] = ["waitedMs", "ttlMs"].map(|member| {
        let of = if member == "ttlMs" { &seen["leader"] } else { &seen };
        Duration::from_millis(of[member].as_u64().expect("a time"))
    });
    let ends = sent + waited + left;
    assert!(ends <= granted + Duration::from_millis(3_001), "the client believes too long: {seen}");
    let gone = leader(&two.api, &election, &format!("?after={}&wait=30", leads["term"])).await;
    assert_eq!(gone["leader"], Value::Null);
    assert!(granted.elapsed() < Duration::from_secs(20), "told after {:?}", granted.elapsed());
}

#[tokio::test]
async fn many_who_watch_one_election_cost_redis_a_look_a_second() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let election = name("many");
    let leads = elected(&replica.api, &election, "one", 60.0).await;
    let calls = || {
        let told = redis.cli(&["INFO", "commandstats"]);
        let of = |name: &str| {
            let rest = told.split(&format!("cmdstat_{name}:calls=")).nth(1);
            rest.and_then(|rest| rest.split(',').next()?.parse::<u64>().ok()).unwrap_or_default()
        };
        of("evalsha") + of("eval")
    };
    let begun = Instant::now();
    let before = calls();
    const MANY: u64 = 40;
    let watching: Vec<_> =
        (0..MANY).map(|_| watch(&replica.api, &election, format!("?after={}&wait=6", leads["term"]))).collect();
    for watching in watching {
        assert_eq!(watching.await.expect("no panic")["term"], leads["term"]);
    }
    // One look when each begins, one when it ends, and one a second for all. Requests that come together may go as one
    // command.
    let (made, seconds) = (calls() - before, begun.elapsed().as_secs() + 1);
    assert!(made <= 2 * MANY + seconds + 1, "{made} calls in {seconds} s");
}

#[tokio::test]
async fn a_replica_that_ends_tells_those_who_watch_what_it_knows() {
    let redis = Redis::shared();
    let settings = [("GORILLA__SERVER__DRAIN_DELAY", "0s"), ("GORILLA__SERVER__DRAIN_TIMEOUT", "20s")];
    let mut replica = Replica::with(&redis.url(), &settings).await;
    let election = name("drained");
    let leads = elected(&replica.api, &election, "one", 60.0).await;
    let watching = watch(&replica.api, &election, format!("?after={}&wait=60", leads["term"]));
    let sure = Duration::from_millis(500);
    tokio::time::sleep(sure).await;
    assert!(!watching.is_finished());
    let begun = Instant::now();
    replica.process.signal(Signal::TERM);
    assert_eq!(watching.await.expect("no panic")["term"], leads["term"]);
    replica.process.child.wait().expect("it ends");
    assert!(begun.elapsed() < Duration::from_secs(15), "it waits for those who watch");
}

#[tokio::test]
async fn without_redis_the_wait_ends_with_a_refusal_and_news_after_an_outage_are_told() {
    let redis = Redis::shared();
    let link = Proxy::to(redis).await;
    let (replica, other) = (Replica::with(&link.url(), &[]).await, Replica::on(redis).await);
    let election = name("outage");
    let leads = elected(&other.api, &election, "one", 60.0).await;
    let api = replica.api.clone();
    let long = watch(&api, &election, format!("?after={}&wait=40", leads["term"]));
    let (short, target) = (api.clone(), format!("{}?after={}&wait=2", path(&election), leads["term"]));
    let short = tokio::spawn(async move { short.get(&target).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    link.sever();
    let refused = short.await.expect("no panic");
    assert!([503, 504].contains(&refused.status), "{refused:?}");
    assert_eq!(resign(&other.api, &election, token(&leads)).await.status, 204);
    assert!(!long.is_finished());
    link.set(Mode::Pass);
    assert_eq!(long.await.expect("no panic")["leader"], Value::Null);
}

#[tokio::test]
async fn who_loses_the_right_to_look_is_refused_while_it_waits() {
    let (ops, looks) = (Key::new("ops"), Key::new("looks"));
    let text = |verbs: &str| {
        role("all", r#"{prefix="", verbs=["acquire","wait","extend","release","inspect"]}"#)
            + &role("lookers", &format!("{{prefix=\"\", verbs=[{verbs}]}}"))
            + &key_entry("ops", "all", &ops, "")
            + &key_entry("looks", "lookers", &looks, "")
    };
    let file = AccessFile::new(&text(r#""inspect""#));
    let of_file = file.path();
    let settings = [("GORILLA__AUTH__FILE", of_file.to_str().expect("a path of UTF-8"))];
    let replica = Replica::with(&Redis::shared().url(), &settings).await;
    let (ops, looks) = (replica.api.with_key(&ops), replica.api.with_key(&looks));
    let election = name("rights");
    let leads = elected(&ops, &election, "one", 60.0).await;
    let target = format!("{}?after={}&wait=40", path(&election), leads["term"]);
    let watching = tokio::spawn(async move { looks.get(&target).await });
    eventually("the request waits", Duration::from_secs(10), || async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        !watching.is_finished()
    })
    .await;
    file.write(&text(r#""list""#));
    replica.process.signal(Signal::HUP);
    let refused = watching.await.expect("no panic");
    assert_eq!((refused.status, refused.code().as_str()), (403, "insufficient_scope"), "{refused:?}");
}
