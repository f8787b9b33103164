//! What the service does for its scripts.

use serde_json::json;

use crate::harness::{Redis, Replica, name, token};

#[tokio::test]
async fn a_server_that_has_forgotten_the_scripts_is_told_them_again() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("forgotten"));
    let forget = || assert_eq!(redis.cli(&["SCRIPT", "FLUSH", "SYNC"]), "OK");
    forget();
    let lock = api.granted(&resource, "me", 30).await;
    forget();
    assert_eq!(api.status(&resource, token(&lock)).await.status, 200);
    forget();
    let lock = api.extend(&resource, token(&lock), 60).await.json();
    forget();
    assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
    api.granted(&resource, "other", 30).await;
    forget();
    assert_eq!(api.break_lock(&resource, &json!({}), &[]).await.status, 200);
    forget();
    assert_eq!(api.get("/_ready").await.status, 200);
    assert!(!replica.log().contains("NOSCRIPT"), "{}", replica.log());
}

#[tokio::test]
async fn each_operation_is_one_script_sent_by_its_name() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("counted"));
    let cycle = async || {
        let lock = api.granted(&resource, "me", 30).await;
        let lock = api.extend(&resource, token(&lock), 60).await.json();
        api.status(&resource, token(&lock)).await;
        assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
    };
    let calls = |command: &str| {
        let stats = redis.cli(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |line| line.split(',').next().and_then(|calls| calls.parse::<u32>().ok()).expect("a number"))
    };
    cycle().await;
    let before = (calls("evalsha"), calls("eval"));
    cycle().await;
    assert_eq!((calls("evalsha"), calls("eval")), (before.0 + 4, before.1));
}
