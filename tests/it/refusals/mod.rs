//! Every limit and every refusal: the status, the code, a sentence that names the field and the allowed range, and
//! nothing changed in Redis.

mod body;
mod connections;
mod fields;
mod hosts;
mod keys;
mod origins;
mod paths;
mod queries;

use serde_json::Value;

use crate::harness::{Answer, Api, Redis};

/// Asserts that nothing was executed and that the sentence says all of `says`.
#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str, says: &[&str]) {
    refused_json(answer.status, &answer.json(), status, code, says);
}

#[track_caller]
fn refused_json(given: u16, body: &Value, status: u16, code: &str, says: &[&str]) {
    assert_eq!((given, &body["code"]), (status, &code.into()), "{body}");
    assert_eq!(body["outcome"], "not_executed", "{body}");
    let message = body["errorMessage"].as_str().expect("a sentence");
    assert!(message.ends_with('.'), "{message}");
    for part in says {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

/// All that Redis has of a resource, to be compared with what it has later. Its name has no glob characters.
fn all_of(resource: &str) -> String {
    let redis = Redis::shared();
    let pattern = format!("gorilla:{{{resource}}}*");
    let mut keys: Vec<_> = redis.cli(&["KEYS", &pattern]).lines().map(String::from).collect();
    keys.sort_unstable();
    let lock = format!("gorilla:{{{resource}}}:lock");
    format!("{keys:?} {} {}", redis.cli(&["HGETALL", &lock]), redis.cli(&["PEXPIRETIME", &lock]))
}

/// Sends a request to the byte, for what a client library would mend or refuse, and reads the answer. A body is JSON.
async fn raw(api: &Api, line: &str, body: &str) -> (u16, Value) {
    raw_head(api, &format!("{line}\r\nHost: localhost\r\nContent-Type: application/json"), body).await
}

/// The same with all headers of the head but those about the connection and the length.
async fn raw_head(api: &Api, head: &str, body: &str) -> (u16, Value) {
    let request = format!("{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = api.raw(request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer but {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
}
