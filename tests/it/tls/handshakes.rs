//! Clients that speak something else than TLS, or begin a handshake and don't end it.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use super::secure;
use crate::harness::{Api, Replica, eventually};

/// How many handshakes never end.
const MANY: usize = 3000;

/// Waits until so many handshakes have failed for this reason.
async fn counted(replica: &Replica, reason: &str, count: u32) {
    let line = format!("\ngorilla_tls_handshakes_failed_total{{reason=\"{reason}\"}} {count}\n");
    let page = async || replica.api.get("/metrics").await.text;
    eventually("it is counted", Duration::from_secs(10), || async { page().await.contains(&line) }).await;
}

#[tokio::test]
async fn a_request_in_plain_http_is_told_to_use_https() {
    let (replica, _authority) = secure(&[]).await;
    let plain = Api::at(&replica.api.address);
    let answer = plain.raw(b"POST /api/v1/locks/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}").await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("\"code\":\"https_required\",\"outcome\":\"not_executed\""), "{answer}");
    // An ordinary client understands it, on whatever path: the replica has not read it.
    assert_eq!(plain.get("/anything").await.code(), "https_required");
    drop(plain);
    counted(&replica, "plain_http", 2).await;
    assert_eq!(replica.api.get("/_health").await.status, 200);
}

#[tokio::test]
async fn bytes_that_are_no_handshake_end_the_connection() {
    let (replica, _authority) = secure(&[]).await;
    for bytes in [&b"\x16\x03\x01\x00\x05junk!"[..], b"\x00\x00\x00", b"\x80\x2e\x01\x03\x01", &[0xff; 70_000]] {
        let answer = Api::at(&replica.api.address).raw(bytes).await;
        assert!(!answer.contains("HTTP"), "{answer}");
    }
    counted(&replica, "error", 4).await;
    assert_eq!(replica.api.get("/_health").await.status, 200);
}

#[tokio::test]
async fn a_handshake_that_is_not_over_after_five_seconds_is_given_up() {
    let (replica, _authority) = secure(&[]).await;
    // Nothing at all, and the beginning of a handshake.
    for begin in ["", "\u{16}\u{3}\u{1}"] {
        let mut client = replica.api.sent(begin).await;
        let begun = Instant::now();
        let mut read = Vec::new();
        let closed = timeout(Duration::from_secs(15), client.read_to_end(&mut read)).await;
        assert!(closed.is_ok(), "still open after {:?}", begun.elapsed());
        assert!(begun.elapsed() > Duration::from_secs(4), "closed after {:?}", begun.elapsed());
    }
    counted(&replica, "timed_out", 2).await;
}

#[tokio::test]
async fn thousands_of_handshakes_that_never_end_keep_nobody_out() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("more files may be opened");
    // Half of the connections may have a handshake under way: the silent ones stand before the honest one three times.
    let (replica, _authority) = secure(&[("GORILLA__SERVER__MAX_CONNECTIONS", "2000")]).await;
    let begun = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..MANY {
        silent.push(TcpStream::connect(&replica.api.address).await.expect("a connection"));
    }
    let honest = replica.api.apart();
    let answer = timeout(Duration::from_secs(9), honest.get("/_health")).await;
    let served = begun.elapsed();
    assert_eq!(answer.expect("an honest client is served").status, 200, "after {served:?}");
    // Those that were served before are not disturbed.
    assert_eq!(replica.api.get("/_health").await.status, 200);
    drop(silent);
}
