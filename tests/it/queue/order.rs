//! First come, first served.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::{SOON, granted, queue, queue_keys, queued, waiter};
use crate::harness::{Redis, Replica, eventually, name, token};

#[tokio::test]
async fn two_hundred_waiters_of_four_replicas_are_served_in_order_of_arrival() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let url = redis.url();
    let replicas = join_all((0..4).map(|_| Replica::with(&url, &[]))).await;
    let resource = name("order");
    let held = replicas[0].api.granted(&resource, "holder", 30).await;
    let waiters = (0..200).map(|index| {
        let (api, resource) = (replicas[index % 4].api.clone(), resource.clone());
        async move {
            let lock = granted(waiter(&api, &resource, &format!("waiter-{index}"), 20.0, None)).await;
            assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
            (lock["fence"].as_u64().expect("a fence"), lock["owner"].as_str().expect("an owner").to_string())
        }
    });
    let release = async {
        eventually("all wait", Duration::from_secs(10), || async { queue(&redis, &resource).len() == 200 }).await;
        let order = queue(&redis, &resource);
        assert_eq!(replicas[3].api.release(&resource, token(&held)).await.status, 204);
        order
    };
    let (mut served, order) = tokio::join!(join_all(waiters), release);
    served.sort_unstable();
    assert_eq!(served.into_iter().map(|(_, owner)| owner).collect::<Vec<_>>(), order);
    assert_eq!(queue_keys(&redis, &resource), "");
}

#[tokio::test]
async fn in_a_closed_loop_nobody_is_served_much_more_often_than_others() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let replicas = [Replica::on(&redis).await, Replica::on(&redis).await];
    // The run ends by the number of clients served and not by time, so that it only takes longer on a busy machine.
    let (resource, served) = (name("fair"), AtomicUsize::new(0));
    let clients = (0..32).map(|index| {
        let (api, resource, served) = (replicas[index % 2].api.clone(), resource.clone(), &served);
        async move {
            let mut fences = Vec::new();
            while served.fetch_add(1, Relaxed) < 32 * 8 {
                let lock = granted(waiter(&api, &resource, &format!("client-{index}"), 10.0, None)).await;
                fences.push(lock["fence"].as_u64().expect("a fence"));
                assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
            }
            fences
        }
    });
    let fences = join_all(clients).await;
    // At the end the clients stop one by one, so only the time until the first client stopped is fair to compare.
    let end = fences.iter().filter_map(|fences| fences.last()).min().expect("grants");
    let counts: Vec<_> = fences.iter().map(|fences| fences.iter().filter(|fence| *fence <= end).count()).collect();
    let (most, fewest) = (counts.iter().max().expect("clients"), counts.iter().min().expect("clients"));
    assert!(*fewest > 3 && most - fewest <= 2, "{counts:?}");
}

#[tokio::test]
async fn who_does_not_wait_never_slips_in() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("slip"));
    let mut held = api.granted(&resource, "holder", 30).await;
    let mut waiters = Vec::new();
    for index in 0..50 {
        waiters.push(queued(&redis, api, &resource, &format!("waiter-{index}"), 20.0, None).await);
    }
    let pushy = async {
        let mut codes = Vec::new();
        while !queue(&redis, &resource).is_empty() {
            let answer = api.acquire(&resource, "pushy", 30).await;
            assert!(answer.status == 409 || queue(&redis, &resource).is_empty(), "{answer:?}");
            codes.push(answer.code());
        }
        codes
    };
    let handovers = async {
        for (index, waiter) in waiters.into_iter().enumerate() {
            assert_eq!(api.release(&resource, token(&held)).await.status, 204);
            held = granted(waiter).await;
            assert_eq!(held["owner"], format!("waiter-{index}"));
        }
    };
    let (codes, ()) = tokio::join!(pushy, handovers);
    assert!(codes.iter().all(|code| code == "lock_held" || code == "lock_reserved"), "{codes:?}");
}

#[tokio::test]
async fn the_end_of_a_lease_wakes_the_next_also_when_its_holder_came_later_and_from_another_replica() {
    let redis = Redis::start(&[]);
    let replicas = [Replica::on(&redis).await, Replica::on(&redis).await];
    let resource = name("expiry");
    let held = replicas[0].api.granted(&resource, "holder", 30).await;
    // The second waiter saw a lease of 30 s, and the first waiter gets a short lease.
    let body = serde_json::json!({ "owner": "short", "timeout": 1.5, "wait": 10 });
    let (api, path) = (replicas[0].api.clone(), resource.clone());
    let short = tokio::spawn(async move { api.acquire_with(&path, &body, &[]).await });
    eventually("it waits", SOON, || async { queue(&redis, &resource).len() == 1 }).await;
    let next = queued(&redis, &replicas[1].api, &resource, "next", 20.0, None).await;
    // Longer than the second look after joining.
    tokio::time::sleep(Duration::from_millis(1300)).await;
    replicas[0].api.release(&resource, token(&held)).await;
    assert_eq!(granted(short).await["owner"], "short");
    let begun = Instant::now();
    assert_eq!(granted(next).await["owner"], "next");
    let waited = begun.elapsed();
    assert!((Duration::from_millis(1000)..Duration::from_millis(3000)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn a_break_wakes_the_next_and_the_state_counts_who_waits() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("break"));
    api.granted(&resource, "holder", 30).await;
    let next = queued(&redis, api, &resource, "next with a name", 20.0, None).await;
    assert_eq!(api.state(&resource).await["waiting"], 1);
    assert_eq!(queue(&redis, &resource), ["next with a name"]);
    assert_eq!(api.break_lock(&resource, &serde_json::json!({}), &[]).await.status, 200);
    granted(next).await;
    assert_eq!(api.state(&resource).await["waiting"], 0);
    assert_eq!(queue_keys(&redis, &resource), "");
}
