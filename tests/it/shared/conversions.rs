//! A grant that becomes a grant of another mode, with nobody in between.

use super::*;
use crate::harness::name;

fn fence(lock: &Value) -> u64 {
    lock["fence"].as_u64().expect("a lock has a fence")
}

#[tokio::test]
async fn a_downgrade_keeps_a_writer_that_waits_out_and_lets_readers_before_it_in() {
    let (redis, replicas) = replicas(3).await;
    let [one, two, three] = [0, 1, 2].map(|index| &replicas[index].api);
    let resource = name("downgrade");
    let writer = held(one, &resource, "first", Alone).await;
    let early = waits(&redis, two, &resource, "early", Reader).await;
    let next = waits(&redis, three, &resource, "next writer", Alone).await;
    let late = waits(&redis, two, &resource, "late", Reader).await;
    let converted = convert(three, &resource, &writer, Reader).await;
    assert_eq!(converted.status, 200, "{converted:?}");
    let shared = converted.json();
    assert!(fence(&shared) > fence(&writer) && shared["floor"] == shared["fence"] && shared["id"] != writer["id"]);
    assert_eq!(one.release(&resource, token(&writer)).await.status, 404, "its token is dead");
    let early = granted(early).await;
    assert_eq!(early["floor"], shared["floor"]);
    assert_eq!(queue(&redis, &resource), ["next writer", "late"]);
    for lock in [&early, &shared] {
        assert!(!next.is_finished() && !late.is_finished());
        released(two, &resource, lock).await;
    }
    let next = granted(next).await;
    released(one, &resource, &next).await;
    granted(late).await;
}

#[tokio::test]
async fn of_two_holders_neither_upgrades_and_the_last_does_ahead_of_the_queue() {
    let (redis, replicas) = replicas(2).await;
    let [one, two] = [0, 1].map(|index| &replicas[index].api);
    let resource = name("upgrade");
    let [first, second] = [held(one, &resource, "first", Reader).await, held(two, &resource, "second", Reader).await];
    let (a, b) = tokio::join!(convert(one, &resource, &first, Alone), convert(two, &resource, &second, Alone));
    assert_eq!([a.code(), b.code()], ["lock_held", "lock_held"], "{a:?} {b:?}");
    let writer = waits(&redis, one, &resource, "writer", Alone).await;
    released(two, &resource, &second).await;
    let alone = convert(two, &resource, &first, Alone).await;
    assert_eq!(alone.status, 200, "{alone:?}");
    let alone = alone.json();
    assert!(fence(&alone) > fence(&second) && alone.get("mode").is_none(), "{alone}");
    assert!(!writer.is_finished());
    released(one, &resource, &alone).await;
    assert!(fence(&granted(writer).await) > fence(&alone));
}

#[tokio::test]
async fn a_conversion_that_is_sent_again_with_its_key_is_answered_again() {
    let (redis, replicas) = replicas(2).await;
    let resource = name("again");
    let lock = held(&replicas[0].api, &resource, "me", Alone).await;
    let path = format!("{}/{}", lock_path(&resource), token(&lock));
    let body = Of(2, 3).to(json!({ "timeout": 30 })).to_string();
    let key = [("Idempotency-Key", "convert")];
    let mut answers = Vec::new();
    for replica in &replicas {
        answers.push(replica.api.send(Method::PUT, &path, &key, Some(body.clone())).await);
    }
    let [first, copy] =
        [0, 1].map(|index| ["id", "token", "fence", "permits"].map(|it| answers[index].json()[it].clone()));
    assert_eq!((answers[0].status, answers[1].status, &first), (200, 200, &copy), "{answers:?}");
    assert_eq!(field(&redis, &resource, "used"), "2");
}
