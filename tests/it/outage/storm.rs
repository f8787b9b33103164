//! Everybody connects at once.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    harness::{Redis, Replica, eventually, name, token},
    queue::{granted, queued},
};

/// Clients of one replica, each with a connection of its own.
const CLIENTS: usize = 2000;
/// Until all of them have their answer, on a busy machine.
const ANSWERED: Duration = Duration::from_secs(30);
/// Replicas of Gorilla, and waiters at each of them.
const REPLICAS: usize = 20;
const WAITERS: usize = 3;
/// Until all replicas are ready again after Redis is back.
const RECOVERED: Duration = Duration::from_secs(3);

#[tokio::test]
async fn two_thousand_clients_that_connect_to_a_replica_at_once_are_all_answered() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).expect("the soft limit may be raised");
    let replica = Replica::with(&Redis::shared().url(), &[("GORILLA__REDIS__COMMAND_TIMEOUT", "20s")]).await;
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (address, path) = (replica.api.address.clone(), crate::harness::lock_path(&name("storm")));
        clients.spawn(async move {
            let body = r#"{"owner":"me","timeout":5}"#;
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            let head = "Host: localhost\r\nContent-Type: application/json\r\nConnection: close";
            let request = format!("POST {path} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(request.as_bytes()).await.expect("the replica reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("the replica answers");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        });
    }
    clients.join_all().await;
    let took = begun.elapsed();
    assert!(took < ANSWERED, "it took {took:?}");
    assert_eq!(replica.api.get("/_ready").await.status, 200);
}

/// How many scripts Redis was sent since it started, and how many connections were made.
fn effort(redis: &Redis) -> (u64, u64) {
    let stats = redis.cli(&["INFO", "everything"]);
    let number = |start: &str| {
        let line = stats.lines().find_map(|line| line.strip_prefix(start))?;
        line.trim().split(',').next()?.parse::<u64>().ok()
    };
    let scripts = ["cmdstat_evalsha:calls=", "cmdstat_eval:calls="].iter().filter_map(|start| number(start)).sum();
    (scripts, number("total_connections_received:").expect("Redis counts connections"))
}

#[tokio::test]
async fn twenty_replicas_are_back_soon_after_redis_and_do_not_stampede() {
    let mut redis = Redis::start(&[]);
    let replicas = join_all((0..REPLICAS).map(|_| Replica::on(&redis))).await;
    let resource = name("storm");
    let held = replicas[0].api.granted(&resource, "holder", 60).await;
    let mut waiters = Vec::new();
    for index in 0..REPLICAS * WAITERS {
        let (api, owner) = (&replicas[index % REPLICAS].api, format!("waiter-{index}"));
        waiters.push(queued(&redis, api, &resource, &owner, 50.0, None).await);
    }
    redis.stop();
    let is_up = |replica: &Replica, times: usize| replica.log().matches("connected to Redis").count() == times;
    eventually("all have noticed", RECOVERED, || async {
        replicas.iter().all(|replica| replica.log().contains("no usable connection"))
    })
    .await;

    redis.run();
    let back = Instant::now();
    eventually("all are connected", RECOVERED, || async { replicas.iter().all(|replica| is_up(replica, 2)) }).await;
    for replica in &replicas {
        assert_eq!(replica.api.get("/_ready").await.status, 200);
    }
    assert!(back.elapsed() < RECOVERED, "it took {:?}", back.elapsed());
    // Each waiter asks once whether the queue still has it, one of a replica looks once more, and each replica was
    // asked whether it is ready. A script that Redis forgot is sent twice.
    let (scripts, connections) = effort(&redis);
    let most = 2 * (REPLICAS * WAITERS * 2 + REPLICAS) as u64;
    assert!(scripts <= most, "{scripts} scripts");
    assert!(connections <= 4 * REPLICAS as u64, "{connections} connections");

    let mut last = held;
    for (index, waiter) in waiters.into_iter().enumerate() {
        assert_eq!(replicas[0].api.release(&resource, token(&last)).await.status, 204);
        last = granted(waiter).await;
        assert_eq!(last["owner"], format!("waiter-{index}"));
    }
}
