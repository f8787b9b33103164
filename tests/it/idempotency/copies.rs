//! Copies of a request that arrive at the same time, at two replicas.

use futures_util::future::join_all;
use serde_json::json;

use super::{key, same_lock};
use crate::harness::{Answer, Api, Redis, Replica, name, token};

const COPIES: usize = 32;

/// Sends copies to both replicas at once. Exactly one may be answered for the first time, and all are answered alike.
async fn all_at_once<F: Future<Output = Answer>>(replicas: &[Api; 2], status: u16, send: impl Fn(Api) -> F) -> Answer {
    let copies = (0..COPIES).map(|copy| send(replicas[copy % 2].clone()));
    let (replays, firsts): (Vec<_>, Vec<_>) =
        join_all(copies).await.into_iter().partition(|answer| answer.header("idempotent-replay") == Some("true"));
    let [first] = firsts.as_slice() else { panic!("{} copies acted: {firsts:?}", firsts.len()) };
    assert_eq!(first.status, status, "{first:?}");
    for replay in &replays {
        assert_eq!(replay.status, status, "{replay:?}");
        match first.text.contains("ttlMs") {
            true => same_lock(replay.json(), first.json()),
            false => assert_eq!(replay.text, first.text),
        }
    }
    first.clone()
}

#[tokio::test]
async fn many_copies_at_once_on_two_replicas_act_once_and_are_answered_alike() {
    let other = Replica::start().await;
    let replicas = [Replica::shared().await, other.api.clone()];
    let (redis, body) = (Redis::shared(), json!({ "owner": "me", "timeout": 30 }));
    for _ in 0..5 {
        let resource = &name("copies");
        let lock = all_at_once(&replicas, 200, |api| {
            let body = &body;
            async move { api.acquire_with(resource, body, &key("acquire")).await }
        })
        .await
        .json();
        // There was no second grant, not even a grant that was lost again.
        assert_eq!(redis.cli(&["GET", &format!("gorilla:{{{resource}}}:fence")]), lock["fence"].to_string());

        let extended = all_at_once(&replicas, 200, |api| {
            let token = token(&lock);
            async move { api.extend_with(resource, token, 60, &key("extend")).await }
        })
        .await
        .json();
        assert_eq!(replicas[0].status(resource, token(&extended)).await.status, 200);

        all_at_once(&replicas, 204, |api| {
            let token = token(&extended);
            async move { api.release_with(resource, token, &key("release")).await }
        })
        .await;

        let next = replicas[0].granted(resource, "next", 30).await;
        let broken =
            all_at_once(&replicas, 200, |api| async move { api.break_lock(resource, &json!({}), &key("break")).await })
                .await;
        assert_eq!(broken.json()["fence"], next["fence"]);
    }
}

#[tokio::test]
async fn copies_with_different_bodies_at_once_leave_one_winner_and_no_second_lock() {
    let other = Replica::start().await;
    let replicas = [Replica::shared().await, other.api.clone()];
    let resource = &name("rivals");
    let rivals = (0..COPIES).map(|rival| {
        let api = replicas[rival % 2].clone();
        async move {
            let body = json!({ "owner": format!("rival {rival}"), "timeout": 30 });
            api.acquire_with(resource, &body, &key("same")).await
        }
    });
    let answers = join_all(rivals).await;
    let winners: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    let [winner] = winners.as_slice() else { panic!("{} won", winners.len()) };
    let others = answers.iter().filter(|answer| answer.code() == "idempotency_key_reused").count();
    assert_eq!(others, COPIES - 1);
    assert_eq!(replicas[0].state(resource).await["owner"], winner.json()["owner"]);
}
