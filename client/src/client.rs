//! The client, and the operations that take one request.

use std::{sync::Arc, time::Duration};

use reqwest::header::HeaderValue;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::{
    Broken, History, Limit, Lock, Page, Queue, State, Token,
    acquire::LockRequest,
    adopt::Adoption,
    asking::Asking,
    elect::Campaign,
    error::Error,
    kind::Kind,
    observe::{self, Leader},
    proxy,
    renewals::Renewals,
    requests::{self, Change, new_key},
    set::{LocksRequest, Part},
    ticket::Ticket,
    until::{self, Until},
    watch_request::WatchRequest,
    wire::{Answer, CONNECT_TIMEOUT, Request, Wire, read},
};

/// The codes of errors that this client finds itself, beside the codes of the server.
const INVALID_URL: &str = "invalid_url";
const INVALID_API_KEY: &str = "invalid_api_key";
const INVALID_CA: &str = "invalid_ca";
/// How long the client keeps a connection that it doesn't use. The server closes such a connection after 30 s, maybe
/// just when the client sends a request.
const IDLE: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(5);

/// A Gorilla server, or a load balancer in front of several replicas. Cheap to clone; clones share their connections,
/// and their guards renew their locks together.
#[derive(Clone, Debug)]
pub struct Client {
    wire: Wire,
    renewals: Arc<Renewals>,
}

/// The settings of a new [`Client`].
#[derive(Clone)]
pub struct Builder {
    url: String,
    api_key: Option<String>,
    /// In PEM.
    authorities: Option<Vec<u8>>,
    patience: Duration,
}

impl Builder {
    /// Sets the API key, which the client sends as a bearer token.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Sets the certificate authorities that the client trusts, in PEM, in place of those of this machine. For a server
    /// whose certificate comes from an authority of your own.
    pub fn certificate_authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(pem.into());
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
    /// [`Error::Refused`] with the code `invalid_url`, `invalid_api_key` or `invalid_ca`.
    pub fn build(self) -> Result<Client, Error> {
        let url = reqwest::Url::parse(&self.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(url) = url.filter(|url| url.query().is_none() && url.fragment().is_none()) else {
            let message =
                format!("{:?} is not the address of a server; an address looks like http://127.0.0.1:4000", self.url);
            return Err(Error::refused(INVALID_URL, message));
        };
        let api_key = match self.api_key {
            None => None,
            Some(key) => {
                let value = HeaderValue::try_from(format!("Bearer {key}"));
                let mut value = value.map_err(|_| {
                    Error::refused(INVALID_API_KEY, "the API key has characters that a header must not have".into())
                })?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let authorities = match &self.authorities {
            Some(pem) => authorities_in(pem).map_err(|message| Error::refused(INVALID_CA, message))?,
            None if url.scheme() == "https" => authorities_of_machine(),
            None => RootCertStore::empty(),
        };
        let mut http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(authorities))
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("gorilla-client/", env!("CARGO_PKG_VERSION")));
        if proxy::is_loopback(&url) {
            http = http.no_proxy();
        }
        let http =
            http.build().map_err(|error| Error::Unavailable(format!("no client can be made: {error}").into()))?;
        let (proxy, url) = (proxy::address(&url), url.as_str().trim_end_matches('/').into());
        Ok(Client { renewals: Arc::default(), wire: Wire { http, url, proxy, api_key, patience: self.patience } })
    }
}

/// The certificate authorities that this machine trusts.
fn authorities_of_machine() -> RootCertStore {
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    authorities
}

/// The certificate authorities in a text in PEM.
fn authorities_in(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate =
            certificate.map_err(|error| format!("the certificate authorities are not valid PEM: {error}"))?;
        authorities
            .add(certificate)
            .map_err(|error| format!("a certificate is not one of a certificate authority: {error}"))?;
    }
    if authorities.is_empty() {
        return Err(
            "there is no certificate in PEM (-----BEGIN CERTIFICATE-----) among the certificate authorities".into()
        );
    }
    Ok(authorities)
}

/// Settings of TLS for a client that trusts these authorities.
fn tls(authorities: RootCertStore) -> rustls::ClientConfig {
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
        Builder { url: url.into(), api_key: None, authorities: None, patience: PATIENCE }
    }

    /// The address of the server.
    pub fn url(&self) -> &str {
        &self.wire.url
    }

    /// A request for a lock.
    pub fn lock(&self, resource: impl Into<String>) -> LockRequest {
        LockRequest::new(self.wire.clone(), Arc::clone(&self.renewals), resource.into())
    }

    /// A request to keep the lock of a [`Ticket`], which another process has detached.
    pub fn adopt(&self, ticket: Ticket) -> Adoption {
        Adoption::new(Asking::new(self.wire.clone(), Arc::clone(&self.renewals)), ticket)
    }

    /// A request for several locks, all or none: names, which are locked exclusively, or [parts](Part) of other kinds.
    pub fn locks<P: Into<Part>>(&self, parts: impl IntoIterator<Item = P>) -> LocksRequest {
        let parts = parts.into_iter().map(Into::into).collect();
        LocksRequest::new(self.wire.clone(), Arc::clone(&self.renewals), parts)
    }

    /// A campaign for the leadership of an election, which is the lock of this name.
    pub fn elect(&self, election: impl Into<String>) -> Campaign {
        Campaign::new(self.lock(election))
    }

    /// Who leads an election, as it changes, without taking part in it. None until the first answer, while nobody leads,
    /// and from the end of the leader's lease by the clock of this machine, also if no server can be reached. Terms only
    /// rise; some may be skipped. A change of the `ends` alone wakes nobody who waits for a change.
    ///
    /// This is what others believe. Whether this client leads, only its own lease says: [`Leading`](crate::Leading).
    ///
    /// A task in the background asks until all receivers are dropped. It goes on asking while the server refuses.
    pub fn observe(&self, election: impl Into<String>) -> watch::Receiver<Option<Leader>> {
        observe::observe(self.wire.clone(), election.into())
    }

    /// Makes a lease last for `ttl` from now. Replaces the token: the answer has the new token. For locks that outlive
    /// a process: a [`Guard`](crate::Guard) renews its lock by itself.
    ///
    /// # Errors
    /// [`Error::Lost`] if the lock has another token. [`Error::Refused`] with `lock_breaking` if somebody breaks the lock
    /// and has left this holder a grace: the holder still has the lock, and may release it.
    pub async fn extend(&self, resource: &str, token: &Token, ttl: Duration) -> Result<Lock, Error> {
        let key = new_key();
        match self.send(&requests::extend(resource, token, ttl, Change::Lease, &key)).await? {
            Answer::Done(_, body) => read(body),
            Answer::Refused(refusal) => Err(refusal.lost_or_refused()),
        }
    }

    /// Converts a lock to another kind, with nobody in between, and makes its lease last for `ttl` from now. The lock
    /// has a new id, fence and token then. For locks that outlive a process, as [`Client::extend`].
    ///
    /// # Errors
    /// [`Error::NotAcquired`] if the lock is to be exclusive and others share it: it stays as it was.
    /// [`Error::Refused`] with `limit_mismatch` if another limit is in force. [`Error::Lost`] if the lock has another
    /// token.
    pub async fn convert(&self, resource: &str, token: &Token, ttl: Duration, kind: Kind) -> Result<Lock, Error> {
        let key = new_key();
        match self.send(&requests::extend(resource, token, ttl, Change::Kind(kind), &key)).await? {
            Answer::Done(_, body) => read(body),
            Answer::Refused(refusal) => Err(refusal.not_converted()),
        }
    }

    /// Gives a lock back.
    ///
    /// # Errors
    /// [`Error::Lost`] if the lock has another token.
    pub async fn release(&self, resource: &str, token: &Token) -> Result<(), Error> {
        let key = new_key();
        match self.send(&requests::release(resource, token, &key)).await? {
            Answer::Done(..) => Ok(()),
            Answer::Refused(refusal) => Err(refusal.lost_or_refused()),
        }
    }

    /// The lock that has this token.
    ///
    /// # Errors
    /// [`Error::Lost`] if the lock has another token.
    pub async fn status(&self, resource: &str, token: &Token) -> Result<Lock, Error> {
        match self.send(&requests::status(resource, token)).await? {
            Answer::Done(_, body) => read(body),
            Answer::Refused(refusal) => Err(refusal.lost_or_refused()),
        }
    }

    /// What every client may know about a resource.
    ///
    /// # Errors
    /// Any kind but [`Error::NotAcquired`] and [`Error::Lost`].
    pub async fn state(&self, resource: &str) -> Result<State, Error> {
        self.ask(&requests::state(resource)).await
    }

    /// A page of the held locks whose names begin with `prefix`: the first page, or the page at a cursor.
    ///
    /// # Errors
    /// Any kind but [`Error::NotAcquired`] and [`Error::Lost`].
    pub async fn page(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, Error> {
        self.ask(&requests::page(prefix, None, cursor)).await
    }

    /// The same of the locks that this owner holds. A page may be empty without being the last.
    ///
    /// # Errors
    /// Any kind but [`Error::NotAcquired`] and [`Error::Lost`].
    pub async fn page_of_owner(&self, owner: &str, prefix: &str, cursor: Option<&str>) -> Result<Page, Error> {
        self.ask(&requests::page(prefix, Some(owner), cursor)).await
    }

    /// The requests that wait for a lock.
    ///
    /// # Errors
    /// Any kind but [`Error::NotAcquired`] and [`Error::Lost`].
    pub async fn queue(&self, resource: &str) -> Result<Queue, Error> {
        self.ask(&requests::queue(resource)).await
    }

    /// What happens to locks, as it happens. Add filters, then [`start`](WatchRequest::start).
    pub fn watch(&self) -> WatchRequest {
        WatchRequest::new(self.wire.clone())
    }

    /// What has happened to a lock, newest first, as far as the server's Redis has recorded it: the newest page, or that
    /// before a cursor. A page may be empty without being the last: only a page without a cursor is.
    ///
    /// # Errors
    /// Any kind but [`Error::NotAcquired`] and [`Error::Lost`].
    pub async fn history(&self, resource: &str, before: Option<&str>) -> Result<History, Error> {
        self.ask(&requests::history(resource, before)).await
    }

    /// Waits until nobody holds a lock, and takes nothing: another client may take the lock before this one does. The state
    /// of the lock then, or at the end of the wait.
    ///
    /// # Errors
    /// Any kind but [`Error::NotAcquired`] and [`Error::Lost`].
    pub async fn until_free(&self, resource: &str, wait: Duration) -> Result<State, Error> {
        until::wait(&self.wire, resource, Until::Free, wait).await
    }

    /// Waits until another grant stands than the one with this fence, or none. A fence of 0 stands for no grant. The state of
    /// the lock then, or at the end of the wait.
    ///
    /// # Errors
    /// Any kind but [`Error::NotAcquired`] and [`Error::Lost`].
    pub async fn until_changed(&self, resource: &str, fence: u64, wait: Duration) -> Result<State, Error> {
        until::wait(&self.wire, resource, Until::Changed(fence), wait).await
    }

    /// How many permits all holders of a shared lock may have, and whether this limit is pinned.
    ///
    /// # Errors
    /// Any kind but [`Error::NotAcquired`] and [`Error::Lost`].
    pub async fn limit(&self, resource: &str) -> Result<Limit, Error> {
        self.ask(&requests::limit(resource)).await
    }

    /// Pins the limit of a shared lock: it stays in force until it is unpinned, and requests need not name it. No
    /// holder loses its permits if the limit is less than what the holders have.
    ///
    /// # Errors
    /// Any kind but [`Error::NotAcquired`] and [`Error::Lost`].
    pub async fn pin_limit(&self, resource: &str, limit: u32) -> Result<Limit, Error> {
        self.ask(&requests::pin_limit(resource, limit)).await
    }

    /// Unpins the limit of a shared lock. The limit is in force for as long as somebody shares the lock or waits to do
    /// so.
    ///
    /// # Errors
    /// Any kind but [`Error::NotAcquired`] and [`Error::Lost`].
    pub async fn unpin_limit(&self, resource: &str) -> Result<Limit, Error> {
        self.ask(&requests::unpin_limit(resource)).await
    }

    /// Ends the lock of a holder that is gone: the grant with this fence or, without a fence, any grant. The server
    /// writes the reason into its audit log. One break ends one holder of a shared lock; the others go on.
    ///
    /// # Errors
    /// [`Error::Refused`] with `lock_not_found` if nobody holds the lock, with `fence_changed` if no grant with this
    /// fence holds it, and with `fence_required` if several clients share the lock and there is no fence.
    pub async fn break_lock(&self, resource: &str, fence: Option<u64>, reason: &str) -> Result<Broken, Error> {
        self.break_with_grace(resource, fence, Duration::ZERO, reason).await
    }

    /// Breaks a lock as [`Client::break_lock`] does, and leaves its holder a grace: the holder may keep the lock for so
    /// long, and can't extend it. A grace of zero ends the lock at once.
    ///
    /// # Errors
    /// As [`Client::break_lock`].
    pub async fn break_with_grace(
        &self,
        resource: &str,
        fence: Option<u64>,
        grace: Duration,
        reason: &str,
    ) -> Result<Broken, Error> {
        let key = new_key();
        self.ask(&requests::break_lock(resource, fence, grace, reason, &key)).await
    }

    /// Sends a request of a client that holds nothing.
    async fn ask<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, Error> {
        match self.send(request).await? {
            Answer::Done(_, body) => read(body),
            Answer::Refused(refusal) => Err((*refusal).into()),
        }
    }

    async fn send(&self, request: &Request<'_>) -> Result<Answer, Error> {
        self.wire.send(request, self.wire.give_up()).await
    }
}
