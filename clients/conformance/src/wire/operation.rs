//! What a request asks for.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use super::http::Request;

/// The kind of a request, in the words of the scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum On {
    /// An acquire, of one lock or several.
    Post,
    /// An extend.
    Put,
    /// A release.
    Delete,
    Batch,
    Get,
    /// Anything else: no client has reason to send it.
    Other,
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Batch => "BATCH",
            Self::Get => "GET",
            Self::Other => "another request",
        })
    }
}

/// What is asked for one lock.
#[derive(Clone, Debug)]
pub struct Item {
    pub on: On,
    pub resource: String,
    pub token: Option<String>,
    /// The fields, in a batch together with those that say which operation it is.
    pub body: Value,
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub struct Operation {
    pub on: On,
    pub key: Option<String>,
    /// The parameter `after` of a release.
    pub after: Option<f64>,
    /// One, or of a set and a batch several.
    pub items: Vec<Item>,
}

impl Operation {
    pub fn of(request: &Request) -> Self {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let key = request.header("idempotency-key").map(String::from);
        let after = query.split('&').find_map(|pair| pair.strip_prefix("after=")?.parse().ok());
        let parts: Vec<_> = path.split('/').skip(1).collect();
        let (on, items) = match (&*request.method, &parts[..]) {
            ("GET", _) => (On::Get, Vec::new()),
            ("POST", ["api", "v1", "batch"]) => (On::Batch, of_batch(&request.body)),
            ("POST", ["api", "v1", "locks"]) => (On::Post, of_set(&request.body)),
            (method, ["api", "v1", "locks" | "elections", resource, rest @ ..]) => {
                let on = match (method, rest) {
                    ("POST", []) => On::Post,
                    ("PUT", [] | [_]) => On::Put,
                    ("DELETE", [] | [_]) => On::Delete,
                    _ => On::Other,
                };
                let token = request.header("lock-token").map(String::from);
                let token = token.or_else(|| rest.first().map(|token| decoded(token)));
                (on, vec![Item { on, resource: decoded(resource), token, body: request.body.clone() }])
            }
            _ => (On::Other, Vec::new()),
        };
        Self { on, key, after, items }
    }

    /// The token, if the request has one and is about one lock.
    pub fn token(&self) -> Option<&str> {
        self.items.first().and_then(|item| item.token.as_deref())
    }
}

fn of_set(body: &Value) -> Vec<Item> {
    let resources = body["resources"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names = resources.iter().filter_map(|part| part["resource"].as_str());
    names.map(|name| Item { on: On::Post, resource: name.into(), token: None, body: body.clone() }).collect()
}

fn of_batch(body: &Value) -> Vec<Item> {
    let operations = body["operations"].as_array().map(Vec::as_slice).unwrap_or_default();
    let item = |operation: &Value| Item {
        on: match operation["op"].as_str() {
            Some("acquire") => On::Post,
            Some("extend") => On::Put,
            Some("release") => On::Delete,
            _ => On::Other,
        },
        resource: operation["resource"].as_str().unwrap_or_default().into(),
        token: operation["token"].as_str().map(String::from),
        body: operation.clone(),
    };
    operations.iter().map(item).collect()
}
