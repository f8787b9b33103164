//! Replicas of Redis that confirm, and replicas that don't.

use std::time::Instant;

use reqwest::Method;
use serde_json::json;

use super::{ONE, SOON, assert_not_replicated, assert_unknown, confirming, lock_key};
use crate::harness::{Cluster, Redis, Replica, eventually, lock_path, name, token};

#[tokio::test]
async fn what_is_answered_is_on_the_replica_of_redis() {
    let (_master, follower, replica) = confirming().await;
    let (api, resource) = (&replica.api, name("there"));
    let field = |name: &str| follower.cli(&["HGET", &lock_key(&resource), name]);
    let on_it = |name: &str, value: &serde_json::Value| assert_eq!(Some(field(name).as_str()), value.as_str());
    for _ in 0..20 {
        let lock = api.granted(&resource, "me", 30).await;
        on_it("id", &lock["id"]);
        let extended = api.extend(&resource, token(&lock), 40).await.json();
        on_it("token", &extended["token"]);
        let path = format!("{}/{}", lock_path(&resource), token(&extended));
        let body = json!({ "timeout": 50, "rotate": false, "metadata": "kept" }).to_string();
        let kept = api.send(Method::PUT, &path, &[], Some(body)).await;
        assert_eq!((kept.status, field("metadata").as_str()), (200, r#"["kept"]"#), "{kept:?}");
        assert_eq!(api.release(&resource, token(&extended)).await.status, 204);
        assert_eq!(field("id"), "");
        api.granted(&resource, "me", 30).await;
        assert_eq!(api.break_lock(&resource, &json!({}), &[]).await.status, 200);
        assert_eq!(field("id"), "");
    }
}

#[tokio::test]
async fn a_hundred_at_once_are_confirmed_together_and_survive_the_scripts_being_forgotten() {
    let (master, follower, replica) = confirming().await;
    for _ in 0..2 {
        let names: Vec<_> = (0..100).map(|_| name("many")).collect();
        let before = calls(&master, "wait");
        let all = names.iter().map(|resource| replica.api.granted(resource, "me", 30));
        futures_util::future::join_all(all).await;
        let rounds = calls(&master, "wait") - before;
        assert!((1..=60).contains(&rounds), "{rounds} rounds for 100 grants");
        for resource in &names {
            assert_eq!(follower.cli(&["EXISTS", &lock_key(resource)]), "1");
        }
        master.cli(&["SCRIPT", "FLUSH"]);
    }
}

fn calls(redis: &Redis, command: &str) -> u64 {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let of = format!("cmdstat_{command}:calls=");
    stats.lines().find_map(|line| line.strip_prefix(&of)?.split(',').next()?.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn with_the_option_off_nothing_is_confirmed_and_there_is_no_second_connection() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    replica.api.granted(&name("off"), "me", 30).await;
    assert_eq!((calls(&redis, "wait"), redis.cli(&["EXISTS", "gorilla:confirmation"])), (0, "0".into()));
    let clients = redis.cli(&["CLIENT", "LIST"]);
    // The connection of the replica, and the connection that asks.
    assert_eq!(clients.lines().count(), 2, "{clients}");
}

#[tokio::test]
async fn a_grant_that_the_replica_of_redis_does_not_confirm_is_undone_and_others_are_unknown() {
    let (master, follower, replica) = confirming().await;
    let (api, [held, free]) = (&replica.api, [name("held"), name("free")]);
    let lock = api.granted(&held, "me", 30).await;
    let [released, broken] = [name("released"), name("broken")];
    let to_release = api.granted(&released, "me", 30).await;
    api.granted(&broken, "me", 30).await;
    follower.pause();

    assert_not_replicated(&api.acquire(&free, "me", 30).await);
    assert_eq!(master.cli(&["EXISTS", &lock_key(&free)]), "0", "it is free by the time of the answer");
    let key = [("Idempotency-Key", "k")];
    let body = json!({ "owner": "me", "timeout": 30 });
    assert_not_replicated(&api.acquire_with(&free, &body, &key).await);
    let body = json!({ "owner": "me", "timeout": 30, "wait": 5 });
    assert_not_replicated(&api.acquire_with(&free, &body, &[]).await);
    assert_eq!(master.cli(&["KEYS", &format!("gorilla:{{{free}}}:queue*")]), "");
    let extended = api.extend_with(&held, token(&lock), 40, &key).await;
    assert_unknown(&extended);
    assert_unknown(&api.release_with(&released, token(&to_release), &key).await);
    assert_unknown(&api.break_lock(&broken, &json!({}), &key).await);
    // A refusal changes nothing, so there is nothing to confirm.
    assert_eq!(api.acquire(&held, "other", 30).await.code(), "lock_held");
    eventually("the cause is logged", SOON, || async { replica.log().contains("0 of 1 replicas confirmed it") }).await;

    follower.resume();
    eventually("grants are made", SOON, || async { api.acquire(&name("again"), "me", 30).await.status == 200 }).await;
    // The requests of unknown outcome were executed, and their copies say so.
    let extended = api.extend_with(&held, token(&lock), 40, &key).await;
    assert_eq!((extended.status, extended.header("Idempotent-Replay")), (200, Some("true")), "{extended:?}");
    assert_eq!(api.release_with(&released, token(&to_release), &key).await.status, 204);
    assert_eq!(api.break_lock(&broken, &json!({}), &key).await.status, 200);
    // A copy of the acquire that was undone is decided anew.
    let granted = api.acquire_with(&free, &json!({ "owner": "me", "timeout": 30 }), &key).await;
    assert_eq!((granted.status, granted.header("Idempotent-Replay")), (200, None), "{granted:?}");
}

#[tokio::test]
async fn a_waiter_whose_grant_is_not_confirmed_is_told_and_the_next_is_served() {
    let (master, follower, replica) = confirming().await;
    let (api, resource) = (&replica.api, name("queue"));
    let lock = api.granted(&resource, "holder", 30).await;
    let wait = |owner: &str| {
        let (api, path) = (api.clone(), lock_path(&resource));
        let body = json!({ "owner": owner, "timeout": 30, "wait": 20 }).to_string();
        tokio::spawn(async move { api.send(Method::POST, &path, &[], Some(body)).await })
    };
    let mut waiters = Vec::new();
    for owner in ["first", "second"] {
        waiters.push(wait(owner));
        eventually("it waits", SOON, || async { api.state(&resource).await["waiting"] == waiters.len() }).await;
    }
    let [first, second] = waiters.try_into().expect("two");
    follower.pause();
    assert_unknown(&api.release(&resource, token(&lock)).await);
    assert_not_replicated(&first.await.expect("an answer"));
    follower.resume();
    let answer = second.await.expect("an answer");
    // It may have been its turn while the replica of Redis was still away.
    if answer.status != 200 {
        assert_not_replicated(&answer);
    }
    assert_eq!(master.cli(&["KEYS", &format!("gorilla:{{{resource}}}:queue*")]), "");
}

#[tokio::test]
async fn a_replica_is_ready_while_as_many_replicas_of_redis_are_online() {
    let (master, mut follower, replica) = confirming().await;
    let resource = name("ready");
    replica.api.granted(&resource, "me", 30).await;
    follower.stop();
    eventually("it is not ready", SOON, || async { replica.api.get("/_ready").await.status == 503 }).await;
    let answer = replica.api.get("/_ready").await;
    assert!(answer.text.contains("0 replicas of Redis are online, and redis.min_replicas_ack wants 1"), "{answer:?}");
    assert_not_replicated(&replica.api.acquire(&name("alone"), "me", 30).await);
    follower.run();
    eventually("it is ready again", SOON, || async { replica.api.get("/_ready").await.status == 200 }).await;
    eventually("it grants again", SOON, || async { replica.api.acquire(&name("both"), "me", 30).await.status == 200 })
        .await;
    assert_eq!(master.cli(&["EXISTS", &lock_key(&resource)]), "1");
}

#[tokio::test]
async fn when_memory_is_short_a_release_is_confirmed_all_the_same() {
    let (master, _follower, replica) = confirming().await;
    let (api, resource) = (&replica.api, name("oom"));
    let lock = api.granted(&resource, "me", 30).await;
    master.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(api.acquire(&name("more"), "me", 30).await.code(), "redis_refused");
    let extended = api.extend(&resource, token(&lock), 40).await;
    assert_eq!(extended.status, 200, "{extended:?}");
    assert_eq!(api.release(&resource, token(&extended.json())).await.status, 204);
}

#[tokio::test]
async fn a_confirming_connection_that_is_lost_is_opened_anew() {
    let (master, _follower, replica) = confirming().await;
    let began = Instant::now();
    // This ends the connection of the two that doesn't listen for messages.
    master.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    eventually("grants are made", SOON, || async { replica.api.acquire(&name("anew"), "me", 30).await.status == 200 })
        .await;
    assert!(replica.log().matches("connected to Redis").count() >= 1, "{:?}", began.elapsed());
    eventually("both are there", SOON, || async {
        master.cli(&["CLIENT", "LIST", "TYPE", "normal"]).lines().count() == 2
            && master.cli(&["CLIENT", "LIST", "TYPE", "pubsub"]).lines().count() == 1
    })
    .await;
}

#[tokio::test]
async fn a_user_who_may_not_wait_grants_nothing() {
    let master = Redis::start(&[]);
    let _follower = Redis::following(&master, master.port).await;
    master.cli(&["ACL", "SETUSER", "gorilla", "on", ">secret", "~gorilla:*", "&gorilla:wake:*", "+@all", "-wait"]);
    let replica = Replica::with(&format!("redis://gorilla:secret@127.0.0.1:{}", master.port), &ONE).await;
    let resource = name("noperm");
    let answer = replica.api.acquire(&resource, "me", 30).await;
    assert_not_replicated(&answer);
    assert_eq!(master.cli(&["EXISTS", &lock_key(&resource)]), "0");
    assert!(!answer.text.contains("NOPERM"), "the cause is not the client's: {answer:?}");
    eventually("the cause is logged", SOON, || async { replica.log().contains("NOPERM") }).await;
}

#[tokio::test]
async fn in_a_cluster_each_master_has_its_replica_confirm() {
    let cluster = Cluster::with_replicas().await;
    let replica = Replica::with(&cluster.url(), &ONE).await;
    let resources: Vec<_> = (0..12).map(|_| name("cluster")).collect();
    let mut locks = Vec::new();
    for resource in &resources {
        locks.push(replica.api.granted(resource, "me", 30).await);
    }
    // The replica of one master hangs; the others' slots don't mind.
    let master = cluster.master_of(&lock_key(&resources[0]));
    let hangs = cluster.nodes.iter().filter(|node| !node.is_master());
    let hangs: Vec<_> = hangs.filter(|node| node.cli(&["ROLE"]).contains(&master.port.to_string())).collect();
    assert_eq!(hangs.len(), 1);
    // Nobody can ask the node that hangs.
    let of_master: Vec<_> =
        resources.iter().map(|resource| cluster.master_of(&lock_key(resource)).port == master.port).collect();
    hangs[0].pause();
    for ((resource, lock), of_master) in resources.iter().zip(&locks).zip(of_master) {
        let answer = replica.api.extend(resource, token(lock), 40).await;
        match of_master {
            true => assert_unknown(&answer),
            false => assert_eq!(answer.status, 200, "{answer:?}"),
        }
    }
    hangs[0].resume();
}
