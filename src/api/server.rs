//! The way of every request: what Gorilla does around it, in order, and the routes.

use std::{convert::Infallible, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, Method, header},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use gorilla_domain::Failure;
use gorilla_wire::Operation;
use prometheus_client::metrics::gauge::Gauge;
use tower::Service as _;

use super::{
    answer::MayHaveWaited,
    app::App,
    error::ApiError,
    middleware::{
        access::Gate,
        access_log, forwarded,
        head::Head,
        host::{Host, Served},
        origin, problem, recorded, request_id, streamed,
    },
    routes::{self, Table, events::Streaming},
};
use crate::{
    access::{Current, Identity, Presented},
    metrics::{Metrics, Page},
    service::{Caller, Service},
    settings::{Settings, TrustedProxies},
};

/// Counts a request as being answered until it is dropped, also if its client hangs up.
struct Active<'a>(&'a Gauge);

impl<'a> Active<'a> {
    fn begin(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A connection over which requests come, one after the other.
pub struct Connection {
    peer: SocketAddr,
    /// Whose key it presented last.
    presented: Presented,
}

impl Connection {
    /// A connection from this address.
    pub fn from(peer: SocketAddr) -> Self {
        Self { peer, presented: Presented::default() }
    }
}

/// Answers requests.
pub struct Api {
    service: Arc<Service>,
    router: Router,
    table: Table,
    gate: Gate,
    served: Served,
    trusted_proxies: TrustedProxies,
    metrics: Arc<Metrics>,
    logs_requests: bool,
}

impl Api {
    /// Makes the interface of a service. `page` is that of the metrics, if it is served here.
    pub fn new(
        service: &Arc<Service>,
        access: Option<Arc<Current>>,
        metrics: &Arc<Metrics>,
        page: Option<Arc<Page>>,
        settings: &Arc<Settings>,
    ) -> Self {
        let app = App::new(Arc::clone(service), Arc::clone(metrics), page, Arc::clone(settings));
        Self {
            service: Arc::clone(service),
            router: routes::router(app),
            table: Table::default(),
            gate: Gate::new(access, service.audit().cloned(), Arc::clone(metrics)),
            served: Served::by(&settings.server),
            trusted_proxies: settings.server.trusted_proxies.clone(),
            metrics: Arc::clone(metrics),
            logs_requests: settings.log.requests,
        }
    }

    /// The answer to a request that came over this connection.
    pub async fn answer(&self, connection: &Connection, mut request: Request) -> Response {
        let (route, operation) = self.table.find(request.method(), request.uri().path());
        let _active = Active::begin(&self.metrics.requests.active);
        let entry = access_log::Entry::begin(request.method().clone(), route);
        let (mut caller, form, admitted) = self.meet(operation, connection, &request);
        let id = caller.request_id.clone();
        let identity = admitted.as_ref().ok().cloned().flatten();
        let mut response = match admitted {
            Err(refusal) => refusal.into_response(),
            Ok(identity) => {
                caller.identity = identity;
                request.extensions_mut().insert(caller);
                // A bug in a handler costs its request only.
                let answered = AssertUnwindSafe(self.route(request)).catch_unwind().await;
                answered.unwrap_or_else(|_| {
                    self.metrics.panics.inc();
                    ApiError::Panic.into_response()
                })
            }
        };
        let told = form.write(&mut response);
        request_id::tell(&mut response, &id);
        if self.service.is_draining() {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let code = told.as_ref().map(|told| told.code);
        let took = entry.took();
        if let Some(operation) = operation {
            self.metrics.requests.ended(operation, code);
        }
        let has_waited = response.extensions_mut().remove::<MayHaveWaited>().is_some();
        self.metrics.requests.answered(operation, response.status(), (!has_waited).then_some(took));
        // Looks of people at many locks say nothing of how fast locks are.
        if !has_waited && operation.is_some_and(|operation| operation.method() != Method::GET) {
            self.metrics.fleet.latency.add(took);
        }
        let about = access_log::About { request_id: id, by: identity, is_logged: self.logs_requests };
        if response.extensions().get::<Streaming>().is_some() {
            return streamed::logged_at_end(response, entry, about);
        }
        entry.end(response.status(), told, took, &about);
        response
    }

    /// Who makes a request, in which form it wants to learn of an error, and whether it is refused or whose key it has.
    fn meet(
        &self,
        operation: Option<Operation>,
        connection: &Connection,
        request: &Request,
    ) -> (Caller, problem::Form, Result<Option<Arc<Identity>>, ApiError>) {
        let head = Head::of(request.headers());
        let request_id = request_id::of(&head);
        // What is told of a break must not have secrets either, also where no records are made.
        let has_record = self.service.audit().is_some() || operation == Some(Operation::Break);
        let recorded = has_record.then(|| recorded::of(request, &request_id)).flatten().map(Arc::new);
        let peer = forwarded::peer(&self.trusted_proxies, connection.peer, request.headers());
        let caller = Caller { peer, request_id, identity: None, recorded };
        let admitted = self.admit(operation, &caller, &connection.presented, request, &head);
        (caller, problem::Form::accepted(&head), admitted)
    }

    /// Refuses a request for another host, a write for a page of another site, and what the API key of the request does not
    /// allow. Otherwise says whose key it has, if it needs a key.
    fn admit(
        &self,
        operation: Option<Operation>,
        caller: &Caller,
        before: &Presented,
        request: &Request,
        head: &Head,
    ) -> Result<Option<Arc<Identity>>, ApiError> {
        let host = Host::of(request, head)?;
        self.served.check(host.as_ref())?;
        origin::check(request.method(), head, host.as_ref())?;
        // A path or a method that is not there needs no right: the router refuses it.
        let Some(right) = operation.map(Operation::right) else { return Ok(None) };
        if self.service.is_too_much(right) {
            return Err(ApiError::Store(Failure::Overloaded));
        }
        let identity = self.gate.admit(right, caller, before, request)?;
        if let Some(identity) = identity.as_ref().filter(|_| right.is_rated()) {
            self.service.ask(identity)?;
        }
        Ok(identity)
    }

    /// What the routes answer.
    async fn route(&self, request: Request) -> Response {
        // A router is always ready.
        match self.router.clone().call(request).await {
            Ok(response) => response,
            Err::<_, Infallible>(never) => match never {},
        }
    }
}
