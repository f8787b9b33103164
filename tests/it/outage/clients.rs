//! Redis hangs up on its clients, or lets no new clients in.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use super::{RECOVERED, assert_not_executed, assert_not_ready, in_time, recovers};
use crate::{
    harness::{Api, Cluster, Redis, Replica, eventually, name, token},
    load::Load,
    queue::{granted, queue, queued},
};

/// A connection of an operator that is already there when Redis lets no new clients in.
struct Operator(BufReader<TcpStream>);

impl Operator {
    fn at(redis: &Redis) -> Self {
        Self(BufReader::new(TcpStream::connect(("127.0.0.1", redis.port)).expect("Redis accepts")))
    }

    fn says(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).expect("Redis reads");
        let mut line = String::new();
        self.0.read_line(&mut line).expect("Redis answers");
        line.trim_end().into()
    }
}

/// Ends the connections of clients at a server, in each of the ways that an operator has. How many there were.
fn hang_up(redis: &Redis, round: usize) -> usize {
    match round % 3 {
        0 => ["normal", "pubsub"]
            .map(|kind| redis.cli(&["CLIENT", "KILL", "TYPE", kind]).parse::<usize>().expect("a number"))
            .iter()
            .sum(),
        1 => redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]).parse().expect("a number"),
        _ => {
            let list =
                [redis.cli(&["CLIENT", "LIST", "TYPE", "pubsub"]), redis.cli(&["CLIENT", "LIST", "TYPE", "normal"])];
            let own = "cmd=client";
            let ids = list.iter().flat_map(|list| list.lines()).filter(|line| !line.contains(own));
            let ids = ids.filter_map(|line| line.split(' ').next()?.strip_prefix("id="));
            ids.filter(|id| redis.cli(&["CLIENT", "KILL", "ID", id]) == "1").count()
        }
    }
}

/// Hangs up again and again on two replicas under load, and then lets their waiters have their turns.
async fn waiters_outlive_it(servers: &[&Redis], home: impl Fn(&str) -> usize, replicas: [&Api; 2]) {
    let resource = name("hang-up");
    let redis = servers[home(&resource)];
    let held = replicas[0].granted(&resource, "holder", 60).await;
    let (mut waiters, mut order) = (Vec::new(), Vec::new());
    for index in 0..6 {
        let owner = format!("waiter-{index}");
        waiters.push(queued(redis, replicas[index % 2], &resource, &owner, 50.0, None).await);
        order.push(owner);
    }
    let load = Load::start(&replicas, 6);
    for round in 0..6 {
        // In a Cluster a replica listens at one of the masters, and the others may have no connection to lose.
        let gone: usize = servers.iter().map(|redis| hang_up(redis, round)).sum();
        assert!(gone >= 2, "{gone} connections in round {round}");
        for api in replicas {
            recovers(api).await;
        }
    }
    let tally = load.stop(replicas[0]).await;
    assert!(tally.refused + tally.unknown > 0, "it was felt");
    println!("{} refused, {} unknown, longest {:?}", tally.refused, tally.unknown, tally.longest);
    assert!(tally.longest < RECOVERED, "a client went without for {:?}", tally.longest);

    eventually("each has its place", Duration::from_secs(3), || async { queue(redis, &resource) == order }).await;
    // From here on no waiter asks by itself for a minute: a turn comes by a message over the new connection.
    let mut last = held;
    for (waiter, owner) in waiters.into_iter().zip(order) {
        let released = std::time::Instant::now();
        assert_eq!(replicas[0].release(&resource, token(&last)).await.status, 204);
        last = granted(waiter).await;
        assert_eq!(last["owner"], *owner);
        assert!(released.elapsed() < Duration::from_millis(900), "woken after {:?}", released.elapsed());
    }
}

#[tokio::test]
async fn a_redis_that_hangs_up_on_its_clients_costs_no_waiter_its_place() {
    let redis = Redis::start(&[]);
    let replicas = [Replica::on(&redis).await, Replica::on(&redis).await];
    waiters_outlive_it(&[&redis], |_| 0, [&replicas[0].api, &replicas[1].api]).await;
}

#[tokio::test]
async fn a_cluster_whose_nodes_hang_up_costs_no_waiter_its_place() {
    let cluster = Cluster::start().await;
    let replicas = [Replica::with(&cluster.url(), &[]).await, Replica::with(&cluster.url(), &[]).await];
    let servers: Vec<_> = cluster.nodes.iter().collect();
    let home = |resource: &str| {
        let master = cluster.master_of(&format!("gorilla:{{{resource}}}:lock"));
        servers.iter().position(|node| node.port == master.port).expect("one of the three")
    };
    waiters_outlive_it(&servers, home, [&replicas[0].api, &replicas[1].api]).await;
}

#[tokio::test]
async fn a_redis_that_lets_no_more_clients_in_is_said_and_who_is_in_stays() {
    let redis = Redis::start(&[]);
    let inside = Replica::on(&redis).await;
    let (resource, mut operator) = (name("inside"), Operator::at(&redis));
    let lock = inside.api.granted(&resource, "me", 60).await;

    assert_eq!(operator.says("CONFIG SET maxclients 1"), "+OK");
    let outside = Replica::unready(&redis.url(), &[]);
    let reason = "max number of clients reached";
    eventually("the reason is known", RECOVERED, || async { outside.api.get("/_ready").await.text.contains(reason) })
        .await;
    assert_not_ready(&outside.api, reason).await;
    assert_not_executed(&in_time(outside.api.acquire(&name("outside"), "me", 30)).await, "redis_unavailable");
    assert_eq!(inside.api.get("/_ready").await.status, 200);
    assert_eq!(inside.api.status(&resource, token(&lock)).await.status, 200);

    // A replica that is in and loses its connection is outside too.
    assert!(operator.says("CLIENT KILL TYPE pubsub").starts_with(':'));
    eventually("the reason is known", RECOVERED, || async { inside.api.get("/_ready").await.text.contains(reason) })
        .await;
    let answer = in_time(inside.api.extend(&resource, token(&lock), 60)).await;
    assert_not_executed(&answer, "redis_unavailable");
    assert!(answer.json()["errorMessage"].to_string().contains(reason), "{answer:?}");

    assert_eq!(operator.says("CONFIG SET maxclients 10000"), "+OK");
    recovers(&inside.api).await;
    recovers(&outside.api).await;
    assert_eq!(outside.api.extend(&resource, token(&lock), 60).await.status, 200);
}
