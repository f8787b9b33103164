//! A replica with a Redis of its own: sends bytes to both, and reads what comes back.

use std::{fmt, time::Duration};

use fred::{
    clients::Client,
    interfaces::ClientLike,
    types::{ClusterHash, CustomCommand, Value, config::Config},
};
use proptest::strategy::Strategy;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::{Builder, Runtime},
    time::timeout,
};

use super::for_all;
use crate::harness::{Redis, Replica};

/// No answer may take longer, on however busy a machine. Below it lie the time-outs that `start` sets.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Service {
    runtime: Runtime,
    pub replica: Replica,
    redis: Client,
    _server: Redis,
}

/// An answer, to the byte.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}\n\n{}", self.head, String::from_utf8_lossy(&self.body))
    }
}

impl Service {
    /// Starts both. The replica waits only briefly for a client that has sent half a request.
    pub fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let server = Redis::start(&["--appendonly", "no"]);
        let settings = [
            ("GORILLA__SERVER__HEADER_TIMEOUT", "1s"),
            ("GORILLA__SERVER__BODY_TIMEOUT", "500ms"),
            ("GORILLA__LOG__REQUESTS", "false"),
            // Properties compare what Redis has counted as changes, and a pulse is one.
            ("GORILLA__EVENTS__PULSE", "false"),
        ];
        let (replica, redis) = runtime.block_on(async {
            let client = Client::new(Config::from_url(&server.url()).expect("a URL"), None, None, None);
            client.init().await.expect("a connection");
            (Replica::with(&server.url(), &settings).await, client)
        });
        Self { runtime, replica, redis, _server: server }
    }

    /// Tries a property with random values.
    pub fn for_all<S: Strategy>(&self, cases: u32, values: S, property: impl AsyncFn(S::Value)) {
        for_all(&self.runtime, cases, values, property);
    }

    /// Does one thing, beside the properties.
    pub fn for_one<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    /// Runs a command of Redis.
    pub async fn redis(&self, command: &'static str, args: &[&[u8]]) -> Value {
        let command = CustomCommand::new_static(command, ClusterHash::Random, false);
        let args: Vec<_> = args.iter().map(|&arg| Value::from(arg)).collect();
        self.redis.custom(command, args).await.expect("Redis answers")
    }

    /// How often anything was written since Redis began.
    pub async fn changes(&self) -> u64 {
        let info = self.redis("INFO", &[b"persistence"]).await.as_string().expect("a text");
        let count = info.lines().find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
        count.and_then(|count| count.parse().ok()).expect("Redis counts its changes")
    }

    /// Sends bytes, in the given pieces, and reads all answers until the replica closes the connection. If `close`,
    /// then nothing follows the bytes, and the replica is told so.
    pub async fn exchange(&self, pieces: &[&[u8]], close: bool) -> Vec<Answer> {
        let mut stream = TcpStream::connect(&self.replica.api.address).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let mut read = Vec::new();
        let all = async {
            let (mut reader, mut writer) = stream.split();
            let write = async {
                for piece in pieces {
                    // The replica may have closed before it has read everything.
                    if writer.write_all(piece).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
                if close {
                    let _ = writer.shutdown().await;
                }
            };
            // An answer may be lost where it meets bytes that nobody reads; what came before it is kept.
            let _ = tokio::join!(write, reader.read_to_end(&mut read)).1;
        };
        timeout(PATIENCE, all).await.expect("the replica closes the connection");
        answers(&read)
    }

    /// Sends one request that says itself that it is the last, and reads its answer. A body is JSON.
    pub async fn ask(&self, method: &str, path: &[u8], headers: &[(&str, &[u8])], body: &[u8]) -> Answer {
        let json: &[(&str, &[u8])] = &[("Content-Type", b"application/json")];
        let headers = if body.is_empty() { headers } else { &[headers, json].concat() };
        self.ask_exactly(method, path, headers, body).await
    }

    /// The same without a header that says what the body is.
    pub async fn ask_exactly(&self, method: &str, path: &[u8], headers: &[(&str, &[u8])], body: &[u8]) -> Answer {
        let mut request =
            [method.as_bytes(), b" ", path, b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"].concat();
        for (name, value) in headers {
            request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        request.extend(format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes());
        request.extend(body);
        let answers = self.exchange(&[&request], false).await;
        assert_eq!(answers.len(), 1, "one request has one answer: {answers:?}");
        answers.into_iter().next().expect("an answer")
    }

    /// Asserts that the replica still grants a lock.
    pub async fn still_serves(&self) {
        let answer = self.ask("POST", b"/api/v1/locks/still-serves", &[], br#"{"owner":"me","timeout":86400}"#).await;
        assert!([200, 409].contains(&answer.status), "{answer:?}");
    }
}

impl Answer {
    /// The body, which must be JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Asserts that it is a refusal by Gorilla, which says that nothing was done; its code.
    #[track_caller]
    pub fn refusal(&self) -> String {
        let error = self.json();
        assert!((400..500).contains(&self.status), "{self:?}");
        assert_eq!(error["outcome"], "not_executed", "{error}");
        assert!(error["errorMessage"].as_str().is_some_and(|message| message.ends_with('.')), "{error}");
        error["code"].as_str().expect("a code").to_string()
    }

    /// Whether the HTTP layer refused it, which says nothing but a status.
    pub fn is_of_http(&self) -> bool {
        [400, 414, 431].contains(&self.status) && self.body.is_empty() && self.header("x-request-id").is_none()
    }
}

/// Takes a stream of answers apart. None of them is to a HEAD.
fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("half an answer: {}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
        let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer: {head}"));
        let mut answer = Answer { status, head, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().expect("a length"));
        let rest = &bytes[end + 4..];
        assert!(rest.len() >= length, "half a body: {answer:?} {}", String::from_utf8_lossy(rest));
        answer.body = rest[..length].to_vec();
        bytes = &rest[length..];
        // 100 Continue is not an answer.
        if status >= 200 {
            answers.push(answer);
        }
    }
    answers
}
