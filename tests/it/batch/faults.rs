//! Redis goes away in the middle of a batch, or the client does.

use std::time::Duration;

use serde_json::{Value, json};

use super::{acquire, counts, held, renewal, results};
use crate::harness::{Api, HangUp, Mode, Proxy, Redis, Replica, eventually, name};

const SOON: Duration = Duration::from_secs(10);

fn batch(items: &[Value]) -> Value {
    json!({ "operations": items })
}

#[tokio::test]
async fn when_redis_is_killed_midway_each_item_is_200_503_or_504_and_none_untold() {
    let mut redis = Redis::start(&[]);
    let link = Proxy::to(&redis).await;
    let replica = Replica::with(&link.url(), &[]).await;
    let locks = held(&replica.api, 1000).await;
    let items: Vec<_> = locks.iter().map(|(resource, token)| renewal(resource, token)).collect();
    // Slowly enough to be killed in the middle.
    link.set(Mode::DelayReplies(Duration::from_millis(500)));
    let sent = tokio::spawn({
        let (api, body) = (replica.api.clone(), batch(&items));
        async move { api.batch(&body, &[]).await }
    });
    let count = "local count = 0
        for _, key in ipairs(redis.call('KEYS', '*:lock')) do
          local times = redis.call('HMGET', key, 'created', 'updated')
          if times[1] ~= times[2] then count = count + 1 end
        end
        return count";
    let updated = || redis.cli(&["EVAL", count, "0"]).parse::<usize>().expect("a number");
    eventually("some are done", SOON, || async { updated() > 0 }).await;
    redis.stop();
    link.cut();
    let answer = sent.await.expect("an answer");
    let results = results(&answer);
    assert_eq!(results.len(), 1000);
    let [ok, failed, unknown] = counts(&answer);
    assert!(ok + failed + unknown == 1000 && failed + unknown > 0, "{ok} {failed} {unknown}");
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["index"], index);
        let told = (result["status"].as_u64(), result["body"]["code"].as_str(), result["body"]["outcome"].as_str());
        let is_known = match told {
            (Some(200), None, None) => true,
            (Some(503), Some("redis_unavailable"), Some("not_executed")) => result["retryAfter"] == 1,
            (Some(504), Some("outcome_unknown"), Some("unknown")) => true,
            _ => false,
        };
        assert!(is_known, "{result}");
    }
    // A line for all that had the same cause.
    let log = replica.log();
    let lines = log.lines().filter(|line| line.contains("items of a batch have no outcome")).count();
    assert!((u64::from(unknown > 0)..=5).contains(&(lines as u64)), "{lines} lines for {unknown} items");
}

#[tokio::test]
async fn without_redis_each_item_is_told_so() {
    let mut redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    redis.stop();
    eventually("the replica has noticed", SOON, || async { replica.api.get("/_ready").await.status == 503 }).await;
    let items: Vec<_> = (0..300).map(|_| acquire(&name("away"))).collect();
    assert_eq!(counts(&replica.api.batch(&batch(&items), &[]).await), [0, 300, 0]);
}

/// The bytes of a batch.
fn bytes(api: &Api, items: &[Value]) -> String {
    let body = batch(items).to_string();
    format!(
        "POST /api/v1/batch HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        api.address,
        body.len()
    )
}

#[tokio::test]
async fn a_client_that_hangs_up_has_no_more_items_done_and_its_acquires_undone() {
    for hang_up in [HangUp::Finish, HangUp::Reset] {
        let redis = Redis::start(&[]);
        let link = Proxy::to(&redis).await;
        let replica = Replica::with(&link.url(), &[]).await;
        link.set(Mode::DelayReplies(Duration::from_millis(400)));
        let names: Vec<_> = (0..1000).map(|_| name("hang-up")).collect();
        let items: Vec<_> = names.iter().map(|name| acquire(name)).collect();
        let stream = replica.api.sent(&bytes(&replica.api, &items)).await;
        let count = || redis.cli(&["KEYS", "*:lock"]).lines().filter(|line| !line.is_empty()).count();
        eventually("some are granted", SOON, || async { count() > 0 }).await;
        let _open = hang_up.end(stream).await;
        eventually("all that were granted are undone", SOON, || async { count() == 0 }).await;
        // Those that were not sent are never done: their fences would be there.
        link.set(Mode::Pass);
        eventually("Redis is reached", SOON, || async { replica.api.get("/_ready").await.status == 200 }).await;
        let fences = redis.cli(&["KEYS", "*:fence"]).lines().count();
        assert!((1..=256).contains(&fences), "{fences} items were granted of {}", names.len());
    }
}
