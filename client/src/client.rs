//! The client, and the operations that take one request.

use std::{sync::Arc, time::Duration};

use gorilla_wire::{Break, Code, Extend, LOCKS};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, header::HeaderValue};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Broken, Lock, Page, State, Token,
    acquire::LockRequest,
    clock::Moment,
    error::{Error, Lost},
    proxy,
    wire::{ANSWER_TIMEOUT, Answer, CONNECT_TIMEOUT, Refusal, Request, read},
};

/// The characters that need no escape in a URL.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The codes of errors that this client finds itself, beside the codes of the server.
const INVALID_URL: &str = "invalid_url";
const INVALID_API_KEY: &str = "invalid_api_key";
const PATIENCE: Duration = Duration::from_secs(5);

/// A Gorilla server, or a load balancer in front of several replicas. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) url: Arc<str>,
    /// The address of the proxy in front of the server, if there is one.
    pub(crate) proxy: Option<Arc<str>>,
    pub(crate) api_key: Option<HeaderValue>,
    pub(crate) patience: Duration,
}

/// The settings of a new [`Client`].
#[derive(Clone)]
pub struct Builder {
    url: String,
    api_key: Option<String>,
    patience: Duration,
}

impl Builder {
    /// Sets the API key, which the client sends as a bearer token.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Sets for how long the client sends a request again while the server can't be reached or can't serve. 5 s by
    /// default.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes the client, which does not connect to the server yet.
    ///
    /// # Errors
    /// [`Error::Refused`] with the code `invalid_url` or `invalid_api_key`.
    pub fn build(self) -> Result<Client, Error> {
        let refused = |code: &str, message: String| Error::Refused { code: code.into(), message };
        let url = reqwest::Url::parse(&self.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(url) = url.filter(|url| url.query().is_none() && url.fragment().is_none()) else {
            let message =
                format!("{:?} is not the address of a server; an address looks like http://127.0.0.1:4000", self.url);
            return Err(refused(INVALID_URL, message));
        };
        let api_key = match self.api_key {
            None => None,
            Some(key) => {
                let value = HeaderValue::try_from(format!("Bearer {key}"));
                let mut value = value.map_err(|_| {
                    refused(INVALID_API_KEY, "the API key has characters that a header must not have".into())
                })?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let mut http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(url.scheme() == "https"))
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("gorilla-client/", env!("CARGO_PKG_VERSION")));
        if proxy::is_loopback(&url) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| Error::Unavailable(format!("no client can be made: {error}")))?;
        let (proxy, url) = (proxy::address(&url), url.as_str().trim_end_matches('/').into());
        Ok(Client { http, url, proxy, api_key, patience: self.patience })
    }
}

/// Settings of TLS with the certificate authorities of this machine, which are read only if they are `needed`.
fn tls(needed: bool) -> rustls::ClientConfig {
    let mut authorities = rustls::RootCertStore::empty();
    if needed {
        authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(authorities)
        .with_no_client_auth()
}

impl Client {
    /// A client of the server at this address, such as `http://127.0.0.1:4000`.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new(url: impl Into<String>) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// A client with settings of its own.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder { url: url.into(), api_key: None, patience: PATIENCE }
    }

    /// The address of the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A request for a lock.
    pub fn lock(&self, resource: impl Into<String>) -> LockRequest {
        LockRequest::new(self.clone(), resource.into())
    }

    /// Makes a lease last for `ttl` from now. Replaces the token: the answer has the new token. For locks that outlive
    /// a process: a [`Guard`](crate::Guard) renews its lock by itself.
    ///
    /// # Errors
    /// [`Error::Lost`] if the lock has another token.
    pub async fn extend(&self, resource: &str, token: &Token, ttl: Duration) -> Result<Lock, Error> {
        let key = new_key();
        match self.send(&extend(resource, token, ttl, &key), self.give_up()).await? {
            Answer::Done(_, body) => read(body),
            Answer::Refused(refusal) => Err(lost_or_refused(refusal)),
        }
    }

    /// Gives a lock back.
    ///
    /// # Errors
    /// [`Error::Lost`] if the lock has another token.
    pub async fn release(&self, resource: &str, token: &Token) -> Result<(), Error> {
        let key = new_key();
        let request = Request {
            method: Method::DELETE,
            path: path(resource),
            token: Some(token),
            key: Some(&key),
            body: None,
            timeout: ANSWER_TIMEOUT,
        };
        match self.send(&request, self.give_up()).await? {
            Answer::Done(..) => Ok(()),
            Answer::Refused(refusal) => Err(lost_or_refused(refusal)),
        }
    }

    /// The lock that has this token.
    ///
    /// # Errors
    /// [`Error::Lost`] if the lock has another token.
    pub async fn status(&self, resource: &str, token: &Token) -> Result<Lock, Error> {
        match self.send(&get(path(resource), Some(token)), self.give_up()).await? {
            Answer::Done(_, body) => read(body),
            Answer::Refused(refusal) => Err(lost_or_refused(refusal)),
        }
    }

    /// What every client may know about a resource.
    ///
    /// # Errors
    /// Any kind but [`Error::NotAcquired`] and [`Error::Lost`].
    pub async fn state(&self, resource: &str) -> Result<State, Error> {
        match self.send(&get(path(resource), None), self.give_up()).await? {
            Answer::Done(_, body) => read(body),
            Answer::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// A page of the held locks whose names begin with `prefix`: the first page, or the page at a cursor.
    ///
    /// # Errors
    /// Any kind but [`Error::NotAcquired`] and [`Error::Lost`].
    pub async fn page(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let [prefix, cursor] = [prefix, cursor.unwrap_or_default()].map(|text| utf8_percent_encode(text, PLAIN));
        let path = format!("{LOCKS}?limit=1000&prefix={prefix}&cursor={cursor}");
        match self.send(&get(path, None), self.give_up()).await? {
            Answer::Done(_, body) => read(body),
            Answer::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// Ends the lock of a holder that is gone: the grant with this fence or, without a fence, any grant. The server
    /// writes the reason into its audit log.
    ///
    /// # Errors [`Error::Refused`] with `lock_not_found` if nobody holds the lock, and with `fence_changed` if a grant
    /// with another fence holds it.
    pub async fn break_lock(&self, resource: &str, fence: Option<u64>, reason: &str) -> Result<Broken, Error> {
        let key = new_key();
        let request = Request {
            method: Method::POST,
            path: format!("{}/break", path(resource)),
            token: None,
            key: Some(&key),
            body: Some(json!(Break::<Value> { fence: Some(fence.into()), reason: Some(reason.into()) })),
            timeout: ANSWER_TIMEOUT,
        };
        match self.send(&request, self.give_up()).await? {
            Answer::Done(_, body) => read(body),
            Answer::Refused(refusal) => Err(refusal.into()),
        }
    }

    fn give_up(&self) -> Moment {
        Moment::now() + self.patience
    }
}

/// An Idempotency-Key: the same for all attempts of one request.
pub fn new_key() -> String {
    Uuid::new_v4().to_string()
}

pub fn path(resource: &str) -> String {
    format!("{LOCKS}/{}", utf8_percent_encode(resource, PLAIN))
}

pub fn extend<'a>(resource: &str, token: &'a Token, ttl: Duration, key: &'a str) -> Request<'a> {
    Request {
        method: Method::PUT,
        path: path(resource),
        token: Some(token),
        key: Some(key),
        body: Some(json!(Extend::<Value> { timeout: Some(ttl.as_secs_f64().into()) })),
        timeout: ANSWER_TIMEOUT,
    }
}

fn get(path: String, token: Option<&Token>) -> Request<'_> {
    Request { method: Method::GET, path, token, key: None, body: None, timeout: ANSWER_TIMEOUT }
}

/// What a refusal means to a client that had the lock.
pub fn lost_or_refused(refusal: Refusal) -> Error {
    match refusal.known() {
        Some(Code::LockNotFound | Code::TokenNotFound | Code::TokenMismatch | Code::LockGone) => {
            Error::Lost(Lost::Ended(refusal.message))
        }
        _ => refusal.into(),
    }
}
