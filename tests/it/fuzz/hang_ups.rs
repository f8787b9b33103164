//! Clients that hang up while they wait, behind whatever bytes.

use std::time::Duration;

use bytes::Bytes;
use fred::types::Value;
use proptest::{collection::vec, prelude::*, sample::select};
use tokio::time::sleep;

use super::service::Service;
use crate::harness::{HangUp, eventually};

/// Within this a place is taken, on however busy a machine.
const SOON: Duration = Duration::from_secs(5);
/// Within this a place is left. If so many bytes stand behind the request that the end of the input can't reach the replica,
/// the replica gives the client up after five to seven looks, which are a second apart (`src/serve/patrol.rs`).
const GIVEN_UP: Duration = Duration::from_secs(20);

/// What may stand before and behind an acquire on one connection.
fn others() -> impl Strategy<Value = Vec<Bytes>> {
    let known = [
        "\r\n",
        "\n",
        "GET /_health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /api/v1/locks/hang-ups HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "DELETE /api/v1/locks/hang-ups/no-token HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /api/v1/locks/hang-ups HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{\"owner\"",
        "GET /_he",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    let piece = prop_oneof![
        3 => select(known.to_vec()).prop_map(Bytes::from),
        1 => vec(any::<u8>(), 1..40).prop_map(Bytes::from),
        1 => (any::<u8>(), 1..100_000usize).prop_map(|(byte, length)| Bytes::from(vec![byte; length])),
    ];
    vec(piece, 0..4)
}

fn hang_up() -> impl Strategy<Value = HangUp> {
    select(vec![HangUp::Finish, HangUp::Reset])
}

#[test]
fn a_waiter_that_hangs_up_leaves_the_queue_behind_whatever_bytes() {
    let service = Service::start();
    let before = vec(Just("GET /_health HTTP/1.1\r\nHost: localhost\r\n\r\n"), 0..3);
    let cases = (before, others(), any::<bool>(), hang_up(), 0..30u64, 0..30u64);
    service.for_all(60, cases, async |(before, behind, keyed, how, pause, patience)| {
        service.redis("FLUSHDB", &[]).await;
        let held = br#"{"owner":"holder","timeout":60}"#;
        let json: &[(&str, &[u8])] = &[("Content-Type", b"application/json")];
        assert_eq!(service.ask("POST", b"/api/v1/locks/hang-ups", json, held).await.status, 200);

        let key = if keyed { "Idempotency-Key: k\r\n" } else { "" };
        let body = r#"{"owner":"gone","timeout":60,"wait":50}"#;
        let acquire = format!(
            "POST /api/v1/locks/hang-ups HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{key}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let client = service.replica.api.sent(&(before.concat() + &acquire)).await;
        let queue = async || service.redis("ZCARD", &[b"gorilla:{hang-ups}:queue"]).await;
        eventually("it waits", SOON, async || queue().await == Value::Integer(1)).await;
        // At once with the request's end, a moment later, or in pieces.
        for piece in behind {
            sleep(Duration::from_millis(pause)).await;
            // A replica reads only so far ahead, and may have ended the connection.
            let _ = client.try_write(&piece);
        }
        sleep(Duration::from_millis(patience)).await;
        let client = how.end(client).await;
        eventually("it has left the queue", GIVEN_UP, async || queue().await == Value::Integer(0)).await;
        drop(client);
    });
}
