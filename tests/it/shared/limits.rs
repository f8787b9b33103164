//! One limit is in force at a time.

use super::*;
use crate::harness::name;

fn limits(resource: &str) -> String {
    lock_path(resource).replace("/locks/", "/limits/")
}

async fn pin(api: &Api, resource: &str, limit: u32) {
    let body = Some(json!({ "limit": limit }).to_string());
    let answer = api.send(Method::PUT, &limits(resource), &[], body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn another_limit_is_accepted_only_when_nobody_shares_the_lock_or_waits_to_do_so() {
    let (redis, replicas) = replicas(2).await;
    let [one, two] = [0, 1].map(|index| &replicas[index].api);
    let resource = name("other");
    let first = held(one, &resource, "first", Of(1, 1)).await;
    let refused = ask(two, &resource, "second", Of(1, 2), 30.0).await;
    assert_eq!((refused.code().as_str(), &refused.json()["limit"]), ("limit_mismatch", &json!(1)), "{refused:?}");
    released(one, &resource, &first).await;
    let second = held(two, &resource, "second", Of(1, 2)).await;
    released(two, &resource, &second).await;

    // Nobody shares the lock, but somebody waits to do so.
    let writer = held(one, &resource, "writer", Alone).await;
    let waiter = waits(&redis, two, &resource, "waiter", Of(1, 3)).await;
    assert_eq!(ask(one, &resource, "other", Of(1, 4), 30.0).await.code(), "limit_mismatch");
    waiter.abort();
    eventually("it leaves", SOON, || async { queue(&redis, &resource).is_empty() }).await;
    assert_eq!(ask(one, &resource, "other", Of(1, 4), 30.0).await.code(), "lock_held");
    // A writer that waits keeps no limit.
    let second = waits(&redis, two, &resource, "second writer", Alone).await;
    let other = waits(&redis, one, &resource, "other", Of(1, 4)).await;
    released(one, &resource, &writer).await;
    let second = granted(second).await;
    released(two, &resource, &second).await;
    assert_eq!(granted(other).await["limit"], 4);
}

#[tokio::test]
async fn a_limit_that_is_lowered_revokes_nothing_and_one_that_is_raised_calls_all_who_fit() {
    let (redis, replicas) = replicas(3).await;
    let [one, two, three] = [0, 1, 2].map(|index| &replicas[index].api);
    let resource = name("pinned");
    pin(one, &resource, 4).await;
    let mut locks = Vec::new();
    for index in 0..4 {
        locks.push(held(two, &resource, &format!("holder-{index}"), Reader).await);
    }
    assert_eq!(locks[0]["limit"], 4, "while a limit is pinned a request need not name it");
    pin(one, &resource, 2).await;
    for (index, lock) in locks.iter_mut().enumerate() {
        let extended = two.extend(&resource, token(lock), 40).await;
        assert_eq!((extended.status, &extended.json()["limit"]), (200, &json!(2)), "{index}: {extended:?}");
        *lock = extended.json();
    }
    let mut waiters = Vec::new();
    for (index, api) in [one, two, three, one].into_iter().enumerate() {
        waiters.push(waits(&redis, api, &resource, &format!("waiter-{index}"), Of(1, 2)).await);
    }
    for lock in locks.drain(..2) {
        released(three, &resource, &lock).await;
    }
    assert_eq!(queue(&redis, &resource).len(), 4, "there are two holders, and the limit is two");
    pin(three, &resource, 5).await;
    let last = waiters.pop().expect("a fourth");
    for waiter in waiters {
        assert_eq!(granted(waiter).await["limit"], 5);
    }
    assert!(!last.is_finished(), "five permits are used");
    pin(two, &resource, 6).await;
    granted(last).await;
    assert_eq!((field(&redis, &resource, "used"), field(&redis, &resource, "reserved")), ("6".into(), "0".into()));
}

#[tokio::test]
async fn a_waiter_that_a_lowered_limit_has_made_impossible_is_dismissed_and_holds_up_nobody() {
    let (redis, replicas) = replicas(2).await;
    let [one, two] = [0, 1].map(|index| &replicas[index].api);
    for first in [Of(1, 4), Alone] {
        let resource = name("impossible");
        let first = held(one, &resource, "first", first).await;
        let many = waits(&redis, two, &resource, "many", Of(4, 4)).await;
        let few = waits(&redis, one, &resource, "few", Of(1, 4)).await;
        pin(one, &resource, 3).await;
        let lowered = Instant::now();
        released(two, &resource, &first).await;
        let dismissed = many.await.expect("an answer");
        assert_eq!(dismissed.code(), "limit_mismatch", "{dismissed:?}");
        granted(few).await;
        assert!(lowered.elapsed() < Duration::from_millis(900), "not after a turn: {:?}", lowered.elapsed());
    }
}

#[tokio::test]
async fn a_pinned_limit_stays_whoever_waits_and_until_it_is_unpinned() {
    let (redis, replicas) = replicas(1).await;
    let (api, resource) = (&replicas[0].api, name("stays"));
    pin(api, &resource, 2).await;
    let first = held(api, &resource, "first", Of(2, 2)).await;
    let second = waits(&redis, api, &resource, "second", Of(2, 2)).await;
    released(api, &resource, &first).await;
    let second = granted(second).await;
    released(api, &resource, &second).await;
    assert_eq!(keys(&redis, &resource), ["limit"]);
    assert_eq!(redis.cli(&["PTTL", &format!("gorilla:{{{resource}}}:limit")]), "-1");
    assert_eq!(api.get(&limits(&resource)).await.json()["limit"], 2);
    assert_eq!(ask(api, &resource, "other", Of(1, 3), 30.0).await.code(), "limit_mismatch");
    assert_eq!(api.send(Method::DELETE, &limits(&resource), &[], None).await.status / 100, 2);
    held(api, &resource, "other", Of(1, 3)).await;
}
