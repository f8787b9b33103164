//! The way of every request: what Gorilla does around it, in order, and the routes.

use std::{convert::Infallible, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use tower::ServiceExt;

use super::{
    app::App,
    error::ApiError,
    middleware::{
        access_log,
        host::{Host, Served},
        origin, problem, request_id,
    },
    routes::{self, Paths},
};
use crate::{
    service::{Caller, Service},
    settings::Settings,
};

/// Answers requests.
pub struct Api {
    service: Arc<Service>,
    router: Router,
    paths: Paths,
    served: Served,
    logs_requests: bool,
}

impl Api {
    /// Makes the interface of a service.
    pub fn new(service: &Arc<Service>, settings: &Arc<Settings>) -> Self {
        Self {
            service: Arc::clone(service),
            router: routes::router(App::new(Arc::clone(service), Arc::clone(settings))),
            paths: Paths::default(),
            served: Served::by(&settings.server),
            logs_requests: settings.log.requests,
        }
    }

    /// The answer to a request from this address.
    pub async fn answer(&self, peer: SocketAddr, mut request: Request) -> Response {
        let entry = access_log::Entry::begin(request.method().clone(), self.paths.route(request.uri().path()));
        let id = request_id::of(request.headers());
        let form = problem::Form::accepted(request.headers());
        request.extensions_mut().insert(Caller { peer, request_id: id.clone() });

        let mut response = match AssertUnwindSafe(self.admitted(request)).catch_unwind().await {
            Ok(response) => response,
            // A bug in a handler costs its request only.
            Err(_) => ApiError::Panic.into_response(),
        };
        let told = form.write(&mut response);
        request_id::tell(&mut response, &id);
        if self.service.is_draining() {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        entry.end(&response, told, &id, self.logs_requests);
        response
    }

    /// What the routes answer. A request for another host, or a write for a page of another site, comes to no route.
    async fn admitted(&self, request: Request) -> Response {
        let admitted = Host::of(&request).and_then(|host| {
            self.served.check(host.as_ref())?;
            origin::check(request.method(), request.headers(), host.as_ref())
        });
        if let Err(refusal) = admitted {
            return refusal.into_response();
        }
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err::<_, Infallible>(never) => match never {},
        }
    }
}
