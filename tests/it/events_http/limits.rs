//! How many listen at once, and what becomes of a listener that doesn't read.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::{PATIENCE, Stream, ask, poll};
use crate::harness::{Api, Redis, Replica, eventually, name, token};

/// Opens a stream, and reads no more than its head.
async fn unread(api: &Api, query: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    // A client with a small buffer, so that the replica notices soon that it reads nothing.
    socket.set_recv_buffer_size(4096).expect("a size");
    let mut stream = socket.connect(api.address.parse().expect("an address")).await.expect("a connection");
    let request = format!("GET /api/v1/events{query} HTTP/1.1\r\nHost: {}\r\n\r\n", api.address);
    stream.write_all(request.as_bytes()).await.expect("a replica that reads");
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.expect("a head");
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test]
async fn a_replica_takes_a_thousand_listeners_and_refuses_the_next() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("more files");
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let api = &replica.api;
    let mut listeners = Vec::new();
    for _ in 0..1000 {
        listeners.push(unread(api, "?prefix=a").await);
    }
    for accept in ["text/event-stream", "application/json"] {
        let refused = ask(&api.address, "", &[("Accept", accept)]).await;
        assert_eq!(refused.status(), 429);
        assert!(refused.headers().contains_key("retry-after"));
        let body: serde_json::Value = refused.json().await.expect("JSON");
        assert_eq!(body["code"], "too_many_listeners");
    }
    // Locks are served as ever.
    api.granted(&name("beside"), "me", 30).await;
    listeners.truncate(900);
    eventually("there is room again", PATIENCE, || async { ask(&api.address, "", &[]).await.status() == 200 }).await;
}

#[tokio::test]
async fn a_listener_that_reads_nothing_is_cut_off_and_the_others_do_not_notice() {
    let redis = Redis::start(&[]);
    let settings = [("GORILLA__SERVER__WRITE_TIMEOUT", "2s"), ("GORILLA__REDIS__COMMAND_TIMEOUT", "20s")];
    let replica = Replica::with(&redis.url(), &settings).await;
    let api = &replica.api;
    let mut reader = Stream::listen(api, "?types=granted").await;
    let _silent = unread(api, "").await;
    let memory = || {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", replica.process.child.id())).expect("a process");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        resident.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
    };
    let before = memory();
    let line = || replica.log().lines().any(|line| line.contains("\"/api/v1/events\""));
    // Until more has been told than the buffers of the sockets take.
    let begun = Instant::now();
    let mut count = 0_u64;
    while !line() {
        assert!(begun.elapsed() < Duration::from_secs(120), "never cut off, after {count} grants");
        let body = json!({ "owner": "o".repeat(256), "timeout": 30, "metadata": "m".repeat(250) });
        let items: Vec<_> = (0..200)
            .map(|number| {
                let mut item = body.clone();
                item["op"] = json!("acquire");
                item["resource"] = json!(format!("slow-{count}-{number}"));
                item
            })
            .collect();
        let done = api.batch(&json!({ "operations": items }), &[]).await.json();
        assert_eq!(done["ok"], 200, "{}", done["failed"]);
        count += 200;
        for _ in 0..200 {
            assert_eq!(reader.told().await.event, "granted", "the reader lacks nothing");
        }
    }
    // The newest 8,192 events are kept for all listeners, and nothing for the one that doesn't read.
    let grown = memory().saturating_sub(before);
    assert!(grown < 64, "{grown} MiB more after {count} grants");
    // The reader goes on, and so does the replica.
    let lock = api.granted("after", "me", 30).await;
    assert_eq!(reader.expect("granted").await.data["fence"], lock["fence"]);
    api.release("after", token(&lock)).await;
    assert_eq!(poll(api, "").await["missed"], serde_json::Value::Null);
}
