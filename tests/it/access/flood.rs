//! Many wrong keys: what they leave behind at a replica.

use std::collections::BTreeSet;

use super::{everything, guarded};
use crate::harness::{AccessFile, Api, Key, Method, Replica, key_entry};

/// How many wrong keys come over one connection, one request behind another.
const TOGETHER: usize = 2000;
/// How many connections bring wrong keys, one after another.
const TIMES: usize = 5;

/// Sends requests with keys of the right form that nobody has, each another one. Returns how many were refused.
async fn guess(api: &Api, time: usize) -> usize {
    let request = |number: usize| {
        let key = Key::new(&format!("{:08}guess", time * TOGETHER + number));
        let end = if number + 1 == TOGETHER { "Connection: close\r\n" } else { "" };
        let bearer = key.bearer();
        format!("GET /api/v1/locks/stock HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\n{end}\r\n")
    };
    let requests: String = (0..TOGETHER).map(request).collect();
    let stream = api.sent_while_read(&requests).await;
    stream.matches("HTTP/1.1 401 ").count()
}

/// The names of all series of a replica, and how much memory it has.
async fn seen(replica: &Replica, ops: &Key) -> (BTreeSet<String>, f64) {
    let page = replica.api.with_key(ops).send(Method::GET, "/metrics", &[], None).await.text;
    let series = page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    let memory = series.clone().find(|(name, _)| *name == "process_resident_memory_bytes").map(|(_, value)| value);
    let memory = memory.and_then(|value| value.parse().ok()).expect("the memory of the replica");
    (series.map(|(name, _)| name.to_string()).collect(), memory)
}

#[tokio::test]
async fn ten_thousand_wrong_keys_leave_neither_series_nor_memory_nor_a_trace_of_themselves() {
    let ops = Key::new("ops");
    let file = AccessFile::new(&(everything("all") + &key_entry("ops", "all", &ops, "")));
    let replica = guarded(&file).await;
    // Buffers and tables grow with the first ones.
    assert_eq!(guess(&replica.api, 0).await, TOGETHER);
    let (series, memory) = seen(&replica, &ops).await;
    for time in 1..=TIMES {
        assert_eq!(guess(&replica.api, time).await, TOGETHER);
    }
    let (series_after, memory_after) = seen(&replica, &ops).await;
    assert_eq!(series_after, series);
    // A hundred bytes a key would be a megabyte.
    let grown = memory_after - memory;
    assert!(grown < 1e6, "{grown} bytes more");
    let log = replica.log();
    assert!(!log.contains("guess"), "the log has a key that somebody tried");
}
