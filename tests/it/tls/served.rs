//! What holds for connections without TLS holds for those with TLS too.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::version::{TLS12, TLS13};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::secure;
use crate::{
    drain::ends,
    harness::{Api, Connection, HangUp, Redis, Signal, eventually, lock_path, name, token},
    queue::{SOON, granted, queue, queued},
};

/// What may stand behind a request that waits, unread.
const BYTES_BEHIND: [&str; 3] = ["", "GET /_health HTTP/1.1\r\nHost: localhost\r\n\r\n", "\r\n\r\nno HTTP\r\n"];

fn acquire(resource: &str, body: &str) -> String {
    let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\n", lock_path(resource));
    format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A client that waits for a lock, and has sent something behind its request.
async fn waiting(api: &Api, resource: &str, behind: &[u8]) -> Box<dyn Connection> {
    let mut client = api.connection().await;
    let request = acquire(resource, r#"{"owner":"gone","timeout":60,"wait":50}"#);
    client.write_all(request.as_bytes()).await.expect("it reads");
    client.flush().await.expect("it reads");
    eventually("it waits", SOON, || async { queue(Redis::shared(), resource).contains(&"gone".into()) }).await;
    client.write_all(behind).await.expect("there is room");
    client.flush().await.expect("there is room");
    client
}

#[tokio::test]
async fn locks_are_acquired_extended_and_released_over_https() {
    let (replica, _authority) = secure(&[]).await;
    let (api, resource) = (&replica.api, name("https"));
    let lock = api.granted(&resource, "me", 60).await;
    assert_eq!(api.acquire(&resource, "other", 60).await.status, 409);
    let extended = api.extend(&resource, token(&lock), 90).await;
    assert_eq!(extended.status, 200, "{extended:?}");
    assert_eq!(api.release(&resource, token(&extended.json())).await.status, 204);
    assert!(replica.log().contains("\"scheme\":\"https\""), "{}", replica.log());
}

#[tokio::test]
async fn only_http_1_1_is_spoken_in_either_version_of_tls() {
    let (replica, authority) = secure(&[]).await;
    for (version, offered, spoken) in [
        (&TLS13, vec!["h2", "http/1.1"], Some("http/1.1")),
        (&TLS13, vec![], None),
        (&TLS12, vec!["h2", "http/1.1"], Some("http/1.1")),
        (&TLS12, vec![], None),
    ] {
        let mut tls = authority.client_of(&[version]);
        tls.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(&replica.api.address).await.expect("a connection");
        let name = "127.0.0.1".try_into().expect("an address");
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), spoken.map(str::as_bytes));
    }
    let mut tls = authority.client();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(&replica.api.address).await.expect("a connection");
    let name = "127.0.0.1".try_into().expect("an address");
    let refused = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.expect_err("HTTP/2 alone is refused");
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
}

#[tokio::test]
async fn a_waiter_that_hangs_up_leaves_the_queue_whatever_bytes_followed_its_request() {
    let (replica, _authority) = secure(&[]).await;
    let (redis, api) = (Redis::shared(), &replica.api);
    let long = "x".repeat(30_000);
    for behind in BYTES_BEHIND.into_iter().chain([long.as_str()]) {
        for how in [HangUp::Finish, HangUp::Reset] {
            let resource = name("behind-tls");
            let held = api.granted(&resource, "holder", 60).await;
            let client = waiting(api, &resource, behind.as_bytes()).await;
            let next = queued(redis, api, &resource, "next", 30.0, None).await;
            let client = how.end(client.socket()).await;
            let what = format!("it leaves after {how:?} behind {} bytes", behind.len());
            eventually(&what, SOON, || async { queue(redis, &resource) == ["next"] }).await;
            api.release(&resource, token(&held)).await;
            assert_eq!(granted(next).await["owner"], "next");
            drop(client);
        }
    }
}

#[tokio::test]
async fn a_waiter_that_ends_its_connection_as_tls_says_leaves_the_queue() {
    let (replica, _authority) = secure(&[]).await;
    for behind in BYTES_BEHIND {
        let resource = name("notified");
        replica.api.granted(&resource, "holder", 60).await;
        let mut client = waiting(&replica.api, &resource, behind.as_bytes()).await;
        client.shutdown().await.expect("an open connection");
        eventually("it leaves", SOON, || async { queue(Redis::shared(), &resource).is_empty() }).await;
    }
}

#[tokio::test]
async fn a_waiter_that_sends_so_much_that_its_end_can_t_be_seen_counts_as_gone() {
    let (replica, _authority) = secure(&[]).await;
    let resource = name("flood-tls");
    replica.api.granted(&resource, "holder", 60).await;
    let mut client = waiting(&replica.api, &resource, b"").await;
    let flood = vec![b'x'; 100 * 1024];
    // The test writes until no buffer takes more.
    while timeout(SOON, client.write_all(&flood)).await.is_ok() {}
    let client = HangUp::Finish.end(client.socket()).await;
    eventually("it leaves", Duration::from_secs(12), || async { queue(Redis::shared(), &resource).is_empty() }).await;
    drop(client);
}

#[tokio::test]
async fn clients_that_never_read_lose_their_connections_and_others_are_served() {
    // One connection is that of the client which waited until the replica was ready.
    let settings = [("GORILLA__SERVER__WRITE_TIMEOUT", "500ms"), ("GORILLA__SERVER__MAX_CONNECTIONS", "5")];
    let (replica, _authority) = secure(&settings).await;
    let requests = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200);
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = replica.api.connection().await;
        client.write_all(requests.as_bytes()).await.expect("there is room");
        client.flush().await.expect("there is room");
        clients.push(client);
    }
    // It is accepted when one of them has lost its connection.
    let honest = replica.api.apart();
    let answer = timeout(Duration::from_secs(10), honest.get("/_health")).await.expect("an honest client is served");
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let (replica, _authority) = secure(&[("GORILLA__SERVER__HEADER_TIMEOUT", "300ms")]).await;
    // After an answer, in a head, and after the handshake alone.
    for sent in ["GET /_health HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /_health HT", ""] {
        let mut client = replica.api.connection().await;
        client.write_all(sent.as_bytes()).await.expect("it reads");
        client.flush().await.expect("it reads");
        let mut answer = Vec::new();
        let closed = timeout(Duration::from_secs(5), client.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "still open after {sent:?}");
    }
}

#[tokio::test]
async fn a_replica_that_ends_answers_its_waiters_and_closes_idle_connections_and_handshakes() {
    let settings = [("GORILLA__SERVER__DRAIN_DELAY", "300ms"), ("GORILLA__SERVER__DRAIN_TIMEOUT", "8s")];
    let (mut replica, _authority) = secure(&settings).await;
    let (redis, api, resource) = (Redis::shared(), replica.api.clone(), name("drain-tls"));
    api.granted(&resource, "holder", 60).await;
    let waiter = queued(redis, &api, &resource, "waiter", 30.0, None).await;
    let idle = api.connection().await;
    // It never sends the first byte of its handshake.
    let silent = TcpStream::connect(&api.address).await.expect("a connection");
    assert_eq!(api.get("/_health").await.status, 200);

    replica.process.signal(Signal::TERM);
    let told = Instant::now();
    let answer = waiter.await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (503, "draining"), "{answer:?}");
    ends(&mut replica, told, Duration::from_secs(3)).await;
    drop((idle, silent));
}
