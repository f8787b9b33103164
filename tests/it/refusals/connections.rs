//! Connections that send too much, too slowly, or something that is not HTTP. After each the replica still serves.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::harness::{Api, Redis, Replica, Signal, lock_path, name};

/// Far more than the sockets between a client and a replica hold.
const MANY_DOCUMENTS: usize = 200;

/// Sends bytes in small pieces until the server answers or closes, and reads to the end. Also how many were sent.
async fn trickle(api: &Api, begin: &str, piece: &str, most: usize) -> (String, usize) {
    let stream = TcpStream::connect(&api.address).await.expect("a connection");
    let (mut reader, mut writer) = stream.into_split();
    writer.write_all(begin.as_bytes()).await.expect("the server reads");
    let mut sent = begin.len();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            read = reader.read(&mut buffer) => match read {
                Ok(0) | Err(_) => break,
                Ok(length) => answer.extend(&buffer[..length]),
            },
            // Slowly, so that no answer is lost to bytes that the server did not read.
            () = sleep(Duration::from_millis(1)), if sent < most && answer.is_empty() => {
                if writer.write_all(piece.as_bytes()).await.is_ok() {
                    sent += piece.len();
                }
            }
            () = sleep(Duration::from_secs(15)) => panic!("the server neither answers nor closes: {answer:?}"),
        }
    }
    (String::from_utf8_lossy(&answer).into_owned(), sent)
}

/// Asks on a new connection: the server may just be closing an idle connection that was used before.
async fn still_serves(api: &Api) {
    assert_eq!(Api::at(&api.address).acquire(&name("still-serves"), "me", 30).await.status, 200);
}

#[tokio::test]
async fn a_body_of_1_mib_is_refused_by_its_length_before_it_is_sent() {
    let (api, resource) = (Replica::shared().await, name("mib"));
    let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n", lock_path(&resource));
    let begun = Instant::now();
    let (answer, _) = trickle(&api, &head, "", 0).await;
    // The body's own time-out is 10 s.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body_too_large"), "{answer}");
    assert!(answer.contains("16384 bytes") && answer.contains("not_executed"), "{answer}");
    assert_eq!(api.state(&resource).await["held"], false);
    still_serves(&api).await;
}

#[tokio::test]
async fn a_chunked_body_of_1_mib_is_refused_as_soon_as_it_is_too_long() {
    let (api, resource) = (Replica::shared().await, name("chunked"));
    let head =
        format!("POST {} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", lock_path(&resource));
    let (answer, sent) = trickle(&api, &head, &format!("400\r\n{}\r\n", " ".repeat(1024)), 1024 * 1024).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body_too_large"), "{answer}");
    assert!((16 * 1024..512 * 1024).contains(&sent), "{sent}");
    assert_eq!(api.state(&resource).await["held"], false);
    still_serves(&api).await;
}

#[tokio::test]
async fn a_head_of_64_kib_is_a_431() {
    let api = Replica::shared().await;
    let piece = format!("X-Padding: {}\r\n", "x".repeat(1024));
    let (answer, sent) = trickle(&api, "GET /_health HTTP/1.1\r\nHost: localhost\r\n", &piece, 64 * 1024).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert!((32 * 1024..=66 * 1024).contains(&sent), "{sent}");
    still_serves(&api).await;
}

#[tokio::test]
async fn a_head_may_have_100_headers_and_not_one_more() {
    let api = Replica::shared().await;
    let head = |more: usize| {
        let headers: String = (0..more).map(|number| format!("X-{number}: 1\r\n")).collect();
        format!("GET /_health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").into_bytes()
    };
    let (most, one_more) = (api.raw(&head(98)).await, api.raw(&head(99)).await);
    assert!(most.starts_with("HTTP/1.1 200 "), "{most}");
    assert!(one_more.starts_with("HTTP/1.1 431 "), "{one_more}");
    still_serves(&api).await;
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_the_connection_closed() {
    let api = Replica::shared().await;
    let long_line = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(24 * 1024));
    for garbage in [
        "GET /\r\n",
        "GET /_health\r\n\r\n",
        "GET /_health HTTP/0.9\r\n\r\n",
        "GET /_health HTTP/3.0\r\nHost: localhost\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03\r\n\r\n",
        "*1\r\n$4\r\nPING\r\n\r\n\r\n",
        "SET gorilla:{a}:lock x\r\n\r\n",
        "POST /api/v1/locks/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: abc\r\n\r\n",
        "POST /api/v1/locks/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        "POST /api/v1/locks/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "GET /_health HTTP/1.1\r\nHost: localhost\r\nBad Header: 1\r\n\r\n",
        "GET /_health HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        &long_line.replace("HTTP/1.1\r\n", "HTTP/1.1\r\nConnection: close\r\n"),
    ] {
        let answer = api.raw(garbage.as_bytes()).await;
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.0 4");
        assert!(refused, "{garbage:?}: {answer}");
        still_serves(&api).await;
    }
}

/// What proxies have read in one way and servers in another. If a replica went on with the connection, a request could
/// stand in the body of another, and its answer would be taken for that of the next client of the proxy.
#[tokio::test]
async fn what_can_be_read_in_two_ways_ends_the_connection() {
    let api = Replica::shared().await;
    let (resource, hidden) = (name("framed"), name("hidden"));
    let body = r#"{"owner":"me","timeout":30}"#;
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let inner = |line: &str| format!("POST {line} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
    let smuggled = format!("{}Content-Length: {}\r\n\r\n{body}", inner(&lock_path(&hidden)), body.len());
    let head = inner(&lock_path(&resource));
    for (framing, served) in [
        // HTTP/1.1 says that the length is nothing beside chunks, and that the connection must end.
        ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", true),
        ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", true),
        ("X: 1\nTransfer-Encoding: chunked\nContent-Length: 4\n", true),
        ("Transfer-Encoding: xchunked\r\n", false),
        ("Transfer-Encoding: chunked, identity\r\n", false),
        ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked, gzip\r\n", false),
        ("Transfer-Encoding : chunked\r\n", false),
        (" Transfer-Encoding: chunked\r\n", false),
        // A line feed alone ends a line, so the head ends here, and what follows is no request.
        ("\nTransfer-Encoding: chunked\r\n", false),
    ] {
        let answer = api.raw(format!("{head}{framing}\r\n{chunked}{smuggled}").as_bytes()).await;
        let statuses = answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]);
        let expected = |status: &&str| if served { ["200", "409"].contains(status) } else { *status == "400" };
        assert!(!answer.is_empty() && statuses.clone().all(|status| expected(&status)), "{framing:?}: {answer}");
        assert_eq!(statuses.clone().count(), if framing.starts_with('\n') { 2 } else { 1 }, "{framing:?}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{framing:?}: {answer}");
        assert_eq!(api.state(&hidden).await["held"], false, "{framing:?}");
    }
}

#[tokio::test]
async fn a_replica_never_changes_to_another_protocol() {
    let api = Replica::shared().await;
    for upgrade in ["h2c", "websocket", "TLS/1.0"] {
        let request = format!(
            "GET /_health HTTP/1.1\r\nHost: localhost\r\nUpgrade: {upgrade}\r\nConnection: close, Upgrade\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nPRI * HTTP/2.0\r\n\r\n"
        );
        let answer = api.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    let tunnel =
        api.raw(b"CONNECT localhost:6379 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nPING\r\n").await;
    assert!(tunnel.starts_with("HTTP/1.1 4"), "{tunnel}");
}

#[tokio::test]
async fn garbage_behind_a_request_does_not_harm_the_answer_before_it() {
    let api = Replica::shared().await;
    let valid = "GET /_health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = api.raw(format!("{valid}{valid}\u{1}\u{2} garbage\r\n\r\n{valid}").as_bytes()).await;
    // Both requests before are answered, then the garbage, and nothing behind it.
    let statuses: Vec<_> = answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "200", "400"], "{answer}");
    still_serves(&api).await;
}

#[tokio::test]
async fn whoever_sends_nothing_in_time_loses_the_connection() {
    let settings = [("GORILLA__SERVER__HEADER_TIMEOUT", "300ms"), ("GORILLA__SERVER__BODY_TIMEOUT", "300ms")];
    let replica = Replica::with(&Redis::shared().url(), &settings).await;
    let (api, resource) = (&replica.api, name("half-open"));
    let path = lock_path(&resource);
    // Half a head, nothing at all, and an idle connection after an answer.
    for (bytes, status) in [
        (format!("POST {path} HTTP/1.1\r\nHost: loc"), None),
        (String::new(), None),
        ("GET /_health HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), Some("200")),
    ] {
        let begun = Instant::now();
        let answer = timeout(Duration::from_secs(10), api.raw(bytes.as_bytes())).await.expect("it closes");
        assert!(begun.elapsed() >= Duration::from_millis(250), "{bytes:?} was closed at once");
        match status {
            Some(status) => assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}"),
            None => assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{bytes:?}: {answer}"),
        }
        still_serves(api).await;
    }
    for head in ["Content-Length: 27\r\n\r\n{\"owner\"", "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"owner\""] {
        let answer = api.raw(format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{head}").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("body_timeout"), "{answer}");
        assert!(answer.contains("within 0.3 s") && answer.contains("not_executed"), "{answer}");
        still_serves(api).await;
    }
    assert_eq!(Api::at(&api.address).state(&resource).await["held"], false);
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_nothing() {
    let (api, resource) = (Replica::shared().await, name("cut"));
    let mut stream = TcpStream::connect(&api.address).await.expect("a connection");
    let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n", lock_path(&resource));
    stream.write_all(format!("{head}{{\"owner\":\"me\",\"timeout\":30}}").as_bytes()).await.expect("it reads");
    stream.shutdown().await.expect("half a close");
    let mut answer = String::new();
    let _ = timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await.expect("it closes");
    assert!(!answer.contains(" 200 "), "{answer}");
    assert_eq!(api.state(&resource).await["held"], false);
    still_serves(&api).await;
}

/// Clients that ask for much, one request behind another, and never read an answer.
async fn clients_that_never_read(api: &Api, count: usize) -> Vec<TcpStream> {
    let requests = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(MANY_DOCUMENTS);
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(api.sent(&requests).await);
    }
    clients
}

#[tokio::test]
async fn clients_that_never_read_lose_their_connections_and_others_are_served() {
    // One connection is that of the client which waited until the replica was ready.
    let settings = [("GORILLA__SERVER__WRITE_TIMEOUT", "500ms"), ("GORILLA__SERVER__MAX_CONNECTIONS", "5")];
    let replica = Replica::with(&Redis::shared().url(), &settings).await;
    let clients = clients_that_never_read(&replica.api, 4).await;
    // It is accepted when one of them has lost its connection.
    let honest = Api::at(&replica.api.address);
    let answer = timeout(Duration::from_secs(10), honest.get("/_health")).await.expect("an honest client is served");
    assert_eq!(answer.status, 200);
    drop(clients);
}

#[tokio::test]
async fn an_answer_that_is_read_slowly_is_not_cut_off() {
    let settings = [("GORILLA__SERVER__WRITE_TIMEOUT", "1s")];
    let replica = Replica::with(&Redis::shared().url(), &settings).await;
    let mut clients = clients_that_never_read(&replica.api, 1).await;
    let (mut read, mut piece, begun) = (0, vec![0; 256 * 1024], Instant::now());
    // Longer than the time-out, and with some progress in each part of it.
    while begun.elapsed() < Duration::from_secs(3) {
        let length = timeout(Duration::from_secs(10), clients[0].read(&mut piece)).await.expect("more").expect("open");
        assert!(length > 0, "the connection was closed after {read} bytes");
        read += length;
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn clients_that_never_read_do_not_hold_a_draining_replica_up() {
    let settings = [
        ("GORILLA__SERVER__WRITE_TIMEOUT", "500ms"),
        ("GORILLA__SERVER__DRAIN_DELAY", "0s"),
        ("GORILLA__SERVER__DRAIN_TIMEOUT", "20s"),
    ];
    let mut replica = Replica::with(&Redis::shared().url(), &settings).await;
    let clients = clients_that_never_read(&replica.api, 4).await;
    still_serves(&replica.api).await;
    replica.process.signal(Signal::TERM);
    let told = Instant::now();
    while replica.process.child.try_wait().expect("a child can be waited for").is_none() {
        assert!(told.elapsed() < Duration::from_secs(10), "still there:\n{}", replica.log());
        sleep(Duration::from_millis(10)).await;
    }
    drop(clients);
}
