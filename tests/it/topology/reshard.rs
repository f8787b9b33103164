//! Many slots of a Cluster move to another master while clients work.

use std::time::{Duration, Instant};

use crate::{
    harness::{Cluster, Redis, Replica, name, token},
    load::Load,
    queue::{granted, queue, queued},
};

/// Slots that move, the lowest ones of a master.
const SLOTS: u16 = 100;
/// The longest that a client may go without a success: a slot is on its way for milliseconds, and requests wait for it.
const PAUSE: Duration = Duration::from_secs(2);
/// From a release to the grant of the next in the queue.
const HANDOVER: Duration = Duration::from_millis(900);

/// The lock key of a resource.
fn key(resource: &str) -> String {
    format!("gorilla:{{{resource}}}:lock")
}

#[tokio::test]
async fn slots_that_move_under_load_cost_pauses_and_no_wrong_answer() {
    let cluster = Cluster::start().await;
    let replicas = [Replica::with(&cluster.url(), &[]).await, Replica::with(&cluster.url(), &[]).await];
    let [one, other] = [&replicas[0].api, &replicas[1].api];
    // The first master has the slots from 0 on.
    let moves = |resource: &String| fred::util::redis_keyslot(key(resource).as_bytes()) < SLOTS;
    let resource = std::iter::repeat_with(|| name("reshard")).find(moves).expect("there is no end of names");
    let from = cluster.master_of(&key(&resource));
    let to = cluster.nodes.iter().find(|node| node.port != from.port).expect("another master");
    let id = |node: &Redis| node.cli(&["CLUSTER", "MYID"]);
    let held = one.granted(&resource, "holder", 60).await;
    let mut waiters = Vec::new();
    for index in 0..4 {
        waiters.push(queued(from, [one, other][index % 2], &resource, &format!("waiter-{index}"), 50.0, None).await);
    }

    let load = Load::start(&[one, other], 12);
    let (port, from_id, to_id) = (from.port, id(from), id(to));
    let reshard = tokio::task::spawn_blocking(move || {
        let entry = format!("127.0.0.1:{port}");
        let [from, to, slots] = [("from", from_id), ("to", to_id), ("slots", SLOTS.to_string())]
            .map(|(name, value)| [format!("--cluster-{name}"), value]);
        let args = ["--cluster", "reshard", &entry, "--cluster-yes"].map(String::from);
        let args: Vec<_> = args.into_iter().chain(from).chain(to).chain(slots).collect();
        Redis::ask(port, &args.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let said = reshard.await.expect("the tool ends");
    let tally = load.stop(one).await;
    println!("{} refused, longest {:?}, slowest {:?}", tally.refused, tally.longest, tally.slowest);
    assert_eq!(to.cli(&["EXISTS", &key(&resource)]), "1", "{said}");
    assert_eq!(tally.unknown, 0, "a node that sends elsewhere has done nothing");
    assert!(tally.longest < PAUSE, "a client went without for {:?}", tally.longest);

    // What moved is what it was: the token is good, and the waiters are woken in their order from the new master.
    assert_eq!(queue(to, &resource), ["waiter-0", "waiter-1", "waiter-2", "waiter-3"]);
    let mut last = other.extend(&resource, token(&held), 60).await.json();
    assert_eq!(last["fence"], held["fence"]);
    for (index, waiter) in waiters.into_iter().enumerate() {
        let released = Instant::now();
        assert_eq!(one.release(&resource, token(&last)).await.status, 204);
        last = granted(waiter).await;
        assert_eq!(last["owner"], format!("waiter-{index}"));
        assert!(released.elapsed() < HANDOVER, "handed over after {:?}", released.elapsed());
    }
}
