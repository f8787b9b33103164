//! Sets that wait.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::{
    HOLD_ENDS, SOON, all_granted, answer, ask, asking, body, granted, id_of, is_held, keys, left, release_all,
    stays_a_part, two, waiting_for_last, waits,
};
use crate::{
    harness::{Redis, Replica, eventually, name, token},
    queue,
};

#[tokio::test]
async fn a_set_keeps_its_first_parts_while_it_waits_for_a_later_one() {
    let redis = Redis::shared();
    let [one, other] = [Replica::start().await, Replica::start().await];
    let [a, b] = two("keeps");
    let held = other.api.granted(&b, "holder", 60).await;
    let begun = Instant::now();
    let set = waiting_for_last(redis, &one.api, &[&a, &b], body(&[&b, &a], 60.0, 30.0), None).await;
    let first = stays_a_part(redis, &a).await;
    other.api.release(&b, token(&held)).await;
    let set = all_granted(&answer(set).await);
    let waited = set["waitedMs"].as_u64().expect("a number");
    assert!((HOLD_ENDS.as_millis() as u64..=begun.elapsed().as_millis() as u64).contains(&waited), "{waited}");
    assert_eq!((&set["ttlMs"], &set["locks"][1]["id"]), (&60_000.into(), &first.into()));
    assert!(left(redis, &a) > 50_000 && left(redis, &b) > 50_000);
    release_all(&other.api, &set).await;
    assert_eq!([keys(redis, &a), keys(redis, &b)].concat(), Vec::<String>::new());
}

#[tokio::test]
async fn one_deadline_counts_for_all_parts_and_a_set_that_waited_in_vain_holds_nothing() {
    let (redis, replica) = (Redis::shared(), Replica::start().await);
    let (api, [a, b]) = (&replica.api, two("deadline"));
    let held = [api.granted(&a, "holder", 60).await, api.granted(&b, "other", 60).await];
    let begun = Instant::now();
    let set = asking(api, body(&[&a, &b], 30.0, 2.0), None);
    eventually("it waits for the first", SOON, || async { waits(redis, &a) == 1 }).await;
    tokio::time::sleep(Duration::from_millis(1000).saturating_sub(begun.elapsed())).await;
    api.release(&a, token(&held[0])).await;
    eventually("it waits for the second", SOON, || async { is_held(redis, &a) && waits(redis, &b) == 1 }).await;
    let refused = answer(set).await;
    let took = begun.elapsed();
    assert_eq!((refused.status, refused.code().as_str()), (409, "wait_timeout"), "{refused:?}");
    assert_eq!((&refused.json()["resource"], &refused.json()["owner"]), (&b.clone().into(), &"other".into()));
    assert!((2000..3000).contains(&took.as_millis()), "{took:?}");
    assert_eq!((keys(redis, &a), waits(redis, &b)), (vec![], 0));
}

#[tokio::test]
async fn a_single_request_and_sets_wait_in_one_queue() {
    let (redis, replica) = (Redis::shared(), Replica::start().await);
    let (api, [a, b]) = (&replica.api, two("single"));
    let held = api.granted(&b, "holder", 60).await;
    let set = waiting_for_last(redis, api, &[&a, &b], body(&[&a, &b], 30.0, 20.0), None).await;
    let single = queue::queued(redis, api, &b, "single", 20.0, None).await;
    let reversed = asking(api, body(&[&b, &a], 30.0, 20.0), None);
    eventually("it waits for the first", SOON, || async { waits(redis, &a) == 1 }).await;
    api.release(&b, token(&held)).await;
    let set = all_granted(&answer(set).await);
    assert!(!single.is_finished());
    release_all(api, &set).await;
    let single = queue::granted(single).await;
    api.release(&b, token(&single)).await;
    release_all(api, &all_granted(&answer(reversed).await)).await;
}

/// Sets of two to four of six names in any order, at two replicas. None of them may wait for another in a circle, and no
/// resource may have two holders.
#[tokio::test]
async fn many_sets_in_any_order_never_block_each_other_for_good_nor_hold_one_lock_together() {
    let replicas = [Replica::start().await, Replica::start().await];
    let base = name("abba");
    let names: Vec<_> = (0..6).map(|number| format!("{base}-{number}")).collect();
    let held = Arc::new(Mutex::new(HashSet::new()));
    let clients = (0..16).map(|client| {
        let (api, names, held) = (replicas[client % 2].api.clone(), names.clone(), Arc::clone(&held));
        tokio::spawn(async move {
            for _ in 0..12 {
                let mut mine = names.clone();
                fastrand::shuffle(&mut mine);
                mine.truncate(fastrand::usize(2..5));
                let mine: Vec<_> = mine.iter().map(String::as_str).collect();
                let set = granted(&api, &mine, 30.0, 30.0).await;
                for name in &mine {
                    assert!(held.lock().expect("no panic").insert((*name).to_string()), "{name} has two holders");
                }
                tokio::time::sleep(Duration::from_millis(fastrand::u64(0..5))).await;
                for name in &mine {
                    held.lock().expect("no panic").remove(*name);
                }
                release_all(&api, &set).await;
            }
        })
    });
    for client in join_all(clients).await {
        client.expect("no client fails");
    }
    for resource in &names {
        assert_eq!(keys(Redis::shared(), resource), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_waiter_behind_a_short_set_is_granted_the_lock_when_the_lease_ends_and_not_when_the_hold_would() {
    let redis = Redis::shared();
    let [one, other] = [Replica::start().await, Replica::start().await];
    for waits_at in [&one.api, &other.api] {
        let [a, b] = two("short");
        let held = other.api.granted(&b, "holder", 60).await;
        let set = waiting_for_last(redis, &one.api, &[&a, &b], body(&[&a, &b], 0.3, 20.0), None).await;
        let behind = queue::queued(redis, waits_at, &a, "behind", 20.0, None).await;
        // A waiter looks once more a second after it has joined. From then on it believes the time that it was told: the
        // rest of the hold.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        other.api.release(&b, token(&held)).await;
        assert_eq!(all_granted(&answer(set).await)["ttlMs"], 300);
        let begun = Instant::now();
        queue::granted(behind).await;
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_set_whose_part_is_broken_while_it_waits_starts_over() {
    let (redis, replica) = (Redis::shared(), Replica::start().await);
    let (api, [a, b]) = (&replica.api, two("broken"));
    let held = api.granted(&b, "holder", 60).await;
    let set = waiting_for_last(redis, api, &[&a, &b], body(&[&a, &b], 30.0, 20.0), None).await;
    let first = id_of(redis, &a);
    assert_eq!(api.break_lock(&a, &serde_json::json!({}), &[]).await.status, 200);
    eventually("it has taken the part anew", 2 * SOON, || async {
        is_held(redis, &a) && id_of(redis, &a) != first && waits(redis, &b) == 1
    })
    .await;
    assert!(replica.log().contains("a set of locks starts over"), "{}", replica.log());
    api.release(&b, token(&held)).await;
    let set = all_granted(&answer(set).await);
    assert_ne!(set["locks"][0]["id"], first);
    release_all(api, &set).await;
}

#[tokio::test]
async fn a_set_that_doesn_t_wait_joins_no_queue() {
    let (redis, replica) = (Redis::shared(), Replica::start().await);
    let (api, [a, b]) = (&replica.api, two("reserved"));
    let held = api.granted(&b, "holder", 60).await;
    // A waiter that does not claim its turn, because its replica is paused.
    let paused = Replica::start().await;
    let waiter = queue::queued(redis, &paused.api, &b, "paused", 20.0, None).await;
    paused.process.signal(rustix::process::Signal::STOP);
    api.release(&b, token(&held)).await;
    let refused = ask(api, &body(&[&a, &b], 30.0, 0.0), &[]).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "lock_reserved"), "{refused:?}");
    assert_eq!(refused.json()["resource"], b.as_str());
    assert!(!is_held(redis, &a));
    paused.process.signal(rustix::process::Signal::CONT);
    drop(waiter);
}
