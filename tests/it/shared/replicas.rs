//! Replicas that die while their clients wait for a shared lock.

use super::*;
use crate::harness::name;

/// A second for the turn of a waiter whose replica is dead, and what a busy machine adds.
const TURN: Duration = Duration::from_secs(3);

/// A writer holds a lock, and R1, R2, R3 and W wait, each at a replica of its own; a fifth replica serves the writer. The
/// waiters, the replicas, and the writer's lock.
async fn line(redis: &Redis, replicas: &[Replica], resource: &str) -> (Vec<JoinHandle<Answer>>, Value) {
    let writer = held(&replicas[4].api, resource, "writer", Alone).await;
    let mut waiters = Vec::new();
    for (index, want) in [Reader, Reader, Reader, Alone].into_iter().enumerate() {
        waiters.push(waits(redis, &replicas[index].api, resource, &format!("waiter-{index}"), want).await);
    }
    (waiters, writer)
}

#[tokio::test]
async fn readers_behind_the_first_whose_replica_is_dead_enter_after_a_second() {
    let (redis, mut replicas) = replicas(5).await;
    let resource = name("first-dead");
    let (mut waiters, writer) = line(&redis, &replicas, &resource).await;
    drop(replicas.remove(0));
    let freed = Instant::now();
    released(&replicas[3].api, &resource, &writer).await;
    let (last, third, second) = (waiters.pop(), waiters.pop(), waiters.pop());
    for reader in [second, third].into_iter().flatten() {
        let lock = granted(reader).await;
        assert!(freed.elapsed() < TURN, "{:?}", freed.elapsed());
        released(&replicas[3].api, &resource, &lock).await;
    }
    granted(last.expect("a writer")).await;
}

#[tokio::test]
async fn a_called_reader_whose_replica_is_dead_holds_up_no_reader_and_a_writer_for_a_second() {
    let (redis, mut replicas) = replicas(5).await;
    let resource = name("second-dead");
    let (mut waiters, writer) = line(&redis, &replicas, &resource).await;
    drop(replicas.remove(1));
    let freed = Instant::now();
    released(&replicas[3].api, &resource, &writer).await;
    let last = waiters.pop().expect("a writer");
    let third = granted(waiters.pop().expect("a reader")).await;
    assert!(freed.elapsed() < Duration::from_millis(900), "it entered at once, and not after {:?}", freed.elapsed());
    let first = granted(waiters.remove(0)).await;
    for reader in [first, third] {
        released(&replicas[3].api, &resource, &reader).await;
    }
    granted(last).await;
    assert!(freed.elapsed() < TURN, "{:?}", freed.elapsed());
}

#[tokio::test]
async fn permits_that_were_reserved_for_a_dead_replica_come_free_after_a_second() {
    let (redis, mut replicas) = replicas(3).await;
    let resource = name("reserved-dead");
    let first = held(&replicas[0].api, &resource, "first", Of(2, 2)).await;
    let gone = waits(&redis, &replicas[1].api, &resource, "gone", Of(2, 2)).await;
    let next = waits(&redis, &replicas[2].api, &resource, "next", Of(1, 2)).await;
    let last = waits(&redis, &replicas[0].api, &resource, "last", Of(1, 2)).await;
    drop(replicas.remove(1));
    let freed = Instant::now();
    released(&replicas[0].api, &resource, &first).await;
    granted(next).await;
    granted(last).await;
    assert!(freed.elapsed() < TURN, "{:?}", freed.elapsed());
    assert_eq!((field(&redis, &resource, "used"), field(&redis, &resource, "reserved")), ("2".into(), "0".into()));
    gone.abort();
}

#[tokio::test]
async fn holders_outlast_the_replicas_that_let_them_in() {
    let (redis, mut replicas) = replicas(3).await;
    let resource = name("outlast");
    let mut locks = Vec::new();
    for (index, replica) in replicas.iter().enumerate() {
        locks.push(held(&replica.api, &resource, &format!("holder-{index}"), Of(1, 3)).await);
    }
    replicas.truncate(1);
    let api = &replicas[0].api;
    let extended = api.extend(&resource, token(&locks[1]), 40).await;
    assert_eq!((extended.status, &extended.json()["fence"]), (200, &locks[1]["fence"]), "{extended:?}");
    let writer = waits(&redis, api, &resource, "writer", Alone).await;
    for lock in [&locks[0], &extended.json(), &locks[2]] {
        assert!(!writer.is_finished());
        released(api, &resource, lock).await;
    }
    granted(writer).await;
}
