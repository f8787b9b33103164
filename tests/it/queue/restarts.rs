//! The order of waiters while the replicas that they wait at end and come back.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use gorilla_client::Client;
use rustix::process::Signal;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{SOON, lock_key, queue};
use crate::harness::{Proxy, Redis, Replica, eventually, name, token};

const WAITERS: usize = 40;
/// How long each of them holds the lock.
const WORK: Duration = Duration::from_millis(60);
/// How long a replica lives.
const LIFE: Duration = Duration::from_millis(1000);

/// The only replica, which restarts at one address.
async fn restarts(redis: &Redis, link: &Proxy, mut replica: Replica, signals: [Signal; 2]) {
    for signal in signals.into_iter().cycle() {
        sleep(LIFE).await;
        replica.process.signal(signal);
        replica.process.child.wait().expect("the replica ends");
        replica = Replica::with(&redis.url(), &[("GORILLA__SERVER__DRAIN_DELAY", "0s")]).await;
        link.lead_to(&replica.api);
    }
}

/// Has many clients wait at one replica, which restarts all the while; the order in which they were served.
async fn served_through(signals: [Signal; 2]) -> Vec<usize> {
    let redis = Redis::start(&["--appendonly", "no"]);
    let replica = Replica::with(&redis.url(), &[("GORILLA__SERVER__DRAIN_DELAY", "0s")]).await;
    let other = Replica::on(&redis).await;
    let link = Proxy::to_replica(&replica.api).await;
    let resource = name("restarts");
    let held = other.api.granted(&resource, "holder", 60).await;

    let (served, mut waiters) = (Arc::<Mutex<Vec<(u64, usize)>>>::default(), JoinSet::new());
    for index in 0..WAITERS {
        // Each waiter is a client with its own connections.
        let client = Client::builder(link.http_url()).patience(Duration::from_secs(60)).build().expect("an address");
        let (name, served) = (resource.clone(), Arc::clone(&served));
        waiters.spawn(async move {
            let owner = format!("waiter-{index}");
            let guard = client.lock(&name).wait(Duration::from_secs(300)).owner(owner).acquire().await;
            let guard = guard.expect("it is served");
            served.lock().expect("no waiter panics").push((guard.fence(), index));
            sleep(WORK).await;
            guard.release().await.expect("it is released");
        });
        eventually("it waits", SOON, || async { queue(&redis, &resource).len() > index }).await;
    }
    tokio::select! {
        () = restarts(&redis, &link, replica, signals) => {}
        all = timeout(Duration::from_secs(150), async {
            sleep(LIFE / 2).await;
            other.api.release(&resource, token(&held)).await;
            while let Some(ended) = waiters.join_next().await {
                ended.expect("no waiter panics");
            }
        }) => all.expect("all are served"),
    }
    assert_eq!(redis.cli(&["EXISTS", &lock_key(&resource)]), "0");
    let mut served = served.lock().expect("no waiter panics").clone();
    served.sort_unstable();
    served.into_iter().map(|(_, index)| index).collect()
}

fn inversions(order: &[usize]) -> usize {
    order.iter().enumerate().map(|(at, one)| order[at..].iter().filter(|later| *later < one).count()).sum()
}

#[tokio::test]
async fn waiters_are_served_in_their_order_while_the_only_replica_is_killed_each_second() {
    let order = served_through([Signal::KILL, Signal::KILL]).await;
    assert_eq!((inversions(&order), order.len()), (0, WAITERS), "{order:?}");
}

#[tokio::test]
async fn waiters_are_served_in_their_order_while_the_only_replica_ends_properly_each_second() {
    let order = served_through([Signal::TERM, Signal::INT]).await;
    assert_eq!((inversions(&order), order.len()), (0, WAITERS), "{order:?}");
}
