//! Who is let in: first come, first served, as many at once as fit, and nobody forgotten.

use std::collections::BTreeMap;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::*;
use crate::harness::name;

#[tokio::test]
async fn a_writer_that_hangs_up_lets_the_reader_behind_it_in_at_once() {
    let (redis, replicas) = replicas(3).await;
    let [one, two, three] = [0, 1, 2].map(|index| &replicas[index].api);
    let mut shortest = Duration::MAX;
    for _ in 0..3 {
        let resource = name("leaves");
        held(one, &resource, "reader", Reader).await;
        let writer = waits(&redis, two, &resource, "writer", Alone).await;
        let reader = waits(&redis, three, &resource, "behind", Reader).await;
        let barges = ask(one, &resource, "barges", Reader, 30.0).await;
        assert_eq!(
            (barges.status, barges.code().as_str()),
            (409, "lock_reserved"),
            "nobody passes a writer that waits"
        );
        assert_eq!(barges.json()["waiting"], 2, "{barges:?}");
        let gone = Instant::now();
        writer.abort();
        granted(reader).await;
        shortest = shortest.min(gone.elapsed());
        assert_eq!(keys(&redis, &resource), ["holders", "lock"], "nobody waits");
    }
    // A second after it has joined the queue, the reader would look by itself.
    assert!(shortest < Duration::from_millis(500), "nobody called it for {shortest:?}");
}

#[tokio::test]
async fn a_writer_whose_wait_is_over_lets_the_reader_behind_it_in_at_once() {
    let (redis, replicas) = replicas(2).await;
    let [one, two] = [0, 1].map(|index| &replicas[index].api);
    let resource = name("gives-up");
    held(one, &resource, "reader", Reader).await;
    let writer = waiter(one, &resource, "writer", Alone, 1.5);
    eventually("the writer waits", SOON, || async { queue(&redis, &resource) == ["writer"] }).await;
    let reader = waits(&redis, two, &resource, "behind", Reader).await;
    assert_eq!(writer.await.expect("an answer").code(), "wait_timeout");
    let gone = Instant::now();
    granted(reader).await;
    assert!(gone.elapsed() < SOON, "it waited for {:?}", gone.elapsed());
}

/// Counts the messages that call waiters, by the channel of the replica.
async fn calls_on(redis: &Redis) -> JoinHandle<BTreeMap<String, usize>> {
    let mut redis = BufReader::new(TcpStream::connect(("127.0.0.1", redis.port)).await.expect("a connection"));
    redis.get_mut().write_all(b"PSUBSCRIBE gorilla:wake:*\r\n").await.expect("Redis reads");
    let mut line = String::new();
    while !line.starts_with(":1") {
        line.clear();
        redis.read_line(&mut line).await.expect("Redis answers");
    }
    tokio::spawn(async move {
        let (mut calls, mut channel) = (BTreeMap::new(), String::new());
        let mut lines = redis.lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.starts_with("call ") {
                *calls.entry(channel.clone()).or_default() += 1;
            } else if line.starts_with("gorilla:wake:") && !line.ends_with('*') {
                channel = line;
            } else if line == "end" {
                break;
            }
        }
        calls
    })
}

#[tokio::test]
async fn after_a_writer_all_readers_up_to_the_next_writer_enter_with_one_call_a_replica() {
    let (redis, replicas) = replicas(3).await;
    let resource = name("run");
    let writer = held(&replicas[0].api, &resource, "writer", Alone).await;
    let mut readers = Vec::new();
    for index in 0..12 {
        let api = &replicas[index % 3].api;
        readers.push(waits(&redis, api, &resource, &format!("reader-{index}"), Reader).await);
    }
    let second = waits(&redis, &replicas[1].api, &resource, "second writer", Alone).await;
    let late = waits(&redis, &replicas[2].api, &resource, "late reader", Reader).await;
    let calls = calls_on(&redis).await;
    released(&replicas[0].api, &resource, &writer).await;
    let mut entered = Vec::new();
    for reader in readers {
        entered.push(granted(reader).await);
    }
    assert_eq!(queue(&redis, &resource), ["second writer", "late reader"]);
    redis.cli(&["PUBLISH", "gorilla:wake:test", "end"]);
    let calls = calls.await.expect("no panic");
    assert_eq!(calls.values().collect::<Vec<_>>(), [&1, &1, &1], "{calls:?}");
    let floors: Vec<_> = entered.iter().map(|lock| &lock["floor"]).collect();
    assert!(floors.iter().all(|floor| *floor == floors[0]), "{floors:?}");

    for (index, reader) in entered.iter().enumerate() {
        assert!(!second.is_finished(), "{index} readers have left");
        released(&replicas[0].api, &resource, reader).await;
    }
    let second = granted(second).await;
    assert!(!late.is_finished());
    released(&replicas[0].api, &resource, &second).await;
    granted(late).await;
}

#[tokio::test]
async fn requests_for_a_few_permits_do_not_pass_a_request_for_many() {
    let (redis, replicas) = replicas(2).await;
    let [one, two] = [0, 1].map(|index| &replicas[index].api);
    let resource = name("many");
    let first = held(one, &resource, "first", Of(2, 3)).await;
    let many = waits(&redis, two, &resource, "many", Of(3, 3)).await;
    let mut few = Vec::new();
    for index in 0..6 {
        let api = if index % 2 == 0 { one } else { two };
        assert_eq!(ask(api, &resource, "one", Of(1, 3), 30.0).await.status, 409, "one is free, and the next has it");
        few.push(waits(&redis, api, &resource, &format!("few-{index}"), Of(1, 3)).await);
    }
    released(one, &resource, &first).await;
    let many = granted(many).await;
    assert_eq!(field(&redis, &resource, "used"), "3");
    assert!(few.iter().all(|few| !few.is_finished()));
    released(two, &resource, &many).await;
    let mut entered = Vec::new();
    for waiter in few.drain(..3) {
        entered.push(granted(waiter).await);
    }
    assert!(few.iter().all(|few| !few.is_finished()), "there are three permits");
    // More than one permit that comes free lets more than one in.
    let [a, b, c] = [0, 1, 2].map(|index| &entered[index]);
    tokio::join!(released(one, &resource, a), released(two, &resource, b), released(one, &resource, c));
    for waiter in few {
        granted(waiter).await;
    }
}

#[tokio::test]
async fn of_two_requests_for_all_permits_neither_holds_a_part_while_it_waits() {
    let (redis, replicas) = replicas(2).await;
    let [one, two] = [0, 1].map(|index| &replicas[index].api);
    let resource = name("both");
    let writer = held(one, &resource, "writer", Alone).await;
    let first = waits(&redis, two, &resource, "first", Of(2, 2)).await;
    let second = waits(&redis, one, &resource, "second", Of(2, 2)).await;
    released(two, &resource, &writer).await;
    let first = granted(first).await;
    assert_eq!((field(&redis, &resource, "used"), field(&redis, &resource, "reserved")), ("2".into(), "0".into()));
    assert!(!second.is_finished());
    released(two, &resource, &first).await;
    let second = granted(second).await;
    released(one, &resource, &second).await;
    assert_eq!(keys(&redis, &resource), Vec::<String>::new());
}
