//! Somebody changes Gorilla's user at Redis while Gorilla runs.

use super::{RECOVERED, assert_not_executed, assert_not_ready, in_time, is_freed, recovers, unfit::assert_internal};
use crate::{
    harness::{Redis, Replica, Security, eventually, name, token},
    topology::rules,
};

/// A server with the user of docs/guides/redis.md, and a replica that is that user.
async fn scene() -> (Redis, Replica) {
    let security = Security::acl(&rules("a server"));
    let redis = Redis::secured(&security, &[]);
    let replica = Replica::on(&redis).await;
    (redis, replica)
}

fn set_user(redis: &Redis, rules: &[&str]) {
    assert_eq!(redis.cli(&[&["ACL", "SETUSER", Security::USER], rules].concat()), "OK");
}

#[tokio::test]
async fn another_password_is_noticed_with_the_next_connection_and_is_said() {
    let (redis, replica) = scene().await;
    let (api, resource) = (&replica.api, name("password"));
    let lock = api.granted(&resource, "me", 60).await;
    set_user(&redis, &["resetpass", ">another"]);
    // A connection that is in stays in.
    assert_eq!(api.status(&resource, token(&lock)).await.status, 200);

    redis.cli(&["CLIENT", "KILL", "USER", Security::USER]);
    eventually("the reason is known", RECOVERED, || async { api.get("/_ready").await.text.contains("WRONGPASS") })
        .await;
    assert_not_ready(api, "WRONGPASS").await;
    let answer = in_time(api.extend(&resource, token(&lock), 60)).await;
    // Without a connection nothing was sent, so this is not an internal error, whose outcome nobody would know.
    assert_not_executed(&answer, "redis_unavailable");
    assert!(answer.json()["errorMessage"].to_string().contains("refused the user name or password"), "{answer:?}");
    assert!(!answer.text.contains(".."), "{answer:?}");

    set_user(&redis, &[">".to_string() + Security::PASSWORD].each_ref().map(String::as_str));
    recovers(api).await;
    assert_eq!(api.extend(&resource, token(&lock), 60).await.status, 200);
    assert!(!replica.log().contains(Security::PASSWORD), "{}", replica.log());
}

#[tokio::test]
async fn a_user_that_is_deleted_and_made_anew_costs_the_time_in_between() {
    let (redis, replica) = scene().await;
    assert_eq!(redis.cli(&["ACL", "DELUSER", Security::USER]), "1");
    eventually("the reason is known", RECOVERED, || async {
        replica.api.get("/_ready").await.text.contains("WRONGPASS")
    })
    .await;
    assert_not_executed(&in_time(replica.api.acquire(&name("deleted"), "me", 30)).await, "redis_unavailable");

    let (password, rules) = (format!(">{}", Security::PASSWORD), rules("a server"));
    let all: Vec<_> = ["on", &password].into_iter().chain(rules.split(' ')).collect();
    set_user(&redis, &all);
    recovers(&replica.api).await;
}

#[tokio::test]
async fn a_right_that_is_missing_inside_of_a_script_is_an_internal_error_and_leaves_no_lock() {
    let (redis, replica) = scene().await;
    for right in ["hset", "pexpireat", "set", "time"] {
        let resource = name("right");
        set_user(&redis, &[&format!("-{right}")]);
        let answer = in_time(replica.api.acquire(&resource, "me", 30)).await;
        assert_internal(&replica, &answer, "can't run this command").await;
        // Without the right to give a lock its end, the script breaks off when it has the lock. That grant is undone.
        is_freed(&redis, &resource).await;
        // Gorilla can't know that a right is missing before it has needed it.
        assert_eq!(replica.api.get("/_ready").await.status, 200);

        set_user(&redis, &[&format!("+{right}")]);
        recovers(&replica.api).await;
    }
}

#[tokio::test]
async fn a_user_without_the_right_to_be_woken_is_not_ready_and_is_told_which() {
    let (redis, replica) = scene().await;
    for (missing, mended) in
        [("resetchannels", "&gorilla:wake:*"), ("-subscribe", "+subscribe"), ("-publish", "+publish")]
    {
        set_user(&redis, &[missing]);
        redis.cli(&["CLIENT", "KILL", "USER", Security::USER]);
        let needs = "the user needs &gorilla:wake:* +subscribe +publish";
        eventually(needs, RECOVERED, || async { replica.api.get("/_ready").await.text.contains(needs) }).await;
        assert_not_ready(&replica.api, "SUBSCRIBE").await;
        set_user(&redis, &[mended]);
        recovers(&replica.api).await;
    }
}
