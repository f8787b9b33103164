//! Around every request: its id, its line in the log, the form of its error, and what a bug in a handler becomes.

use std::{convert::Infallible, net::SocketAddr, panic::AssertUnwindSafe, time::Instant};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use tower::ServiceExt;
use uuid::Uuid;

use super::{Service, error::ApiError, host::Host, origin};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// In bytes.
const LONGEST_ID: usize = 128;

/// Who makes a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// The client's name for the request, or one of ours.
    pub request_id: String,
}

impl Service {
    /// The answer of the routes to a request from this address. Around them rather than a layer of theirs: axum clones and
    /// boxes what is behind a layer for each request.
    pub async fn answer(&self, peer: SocketAddr, mut request: Request) -> Response {
        let begun = Instant::now();
        let id = request_id(request.headers());
        let problem = wants_problem(request.headers());
        let method = request.method().clone();
        let route = self.route(request.uri().path());
        request.extensions_mut().insert(Caller { peer, request_id: id.clone() });

        let answer = async {
            match self.admit(&request) {
                Ok(()) => self.router.clone().oneshot(request).await,
                Err(refusal) => Ok(refusal.into_response()),
            }
        };
        let mut response = match AssertUnwindSafe(answer).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err::<_, Infallible>(never)) => match never {},
            Err(_) => ApiError::Panic.into_response(),
        };
        let mut outcome = "ok";
        if let Some(error) = response.extensions_mut().remove::<ApiError>() {
            let shape = error.shape();
            outcome = shape.body.code.as_str();
            if let Some(cause) = error.cause() {
                tracing::error!(request_id = id, route, code = outcome, cause, "a request has no outcome");
            }
            let mut shaped = shape.into_response(problem);
            // Such as Allow, which axum adds to a 405.
            let headers = response.headers_mut().drain().filter_map(|(name, value)| Some((name?, value)));
            for (name, value) in headers.filter(|(name, _)| name == header::ALLOW) {
                shaped.headers_mut().insert(name, value);
            }
            response = shaped;
        }
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let Self { app, .. } = self;
        if app.is_draining() {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if app.settings.log.requests {
            let status = response.status().as_u16();
            let duration_us = begun.elapsed().as_micros() as u64;
            let method = method.as_str();
            tracing::info!(target: "gorilla::http", method, route, status, duration_us, outcome, request_id = id, "request");
        }
        response
    }

    /// Refuses what no route is to see, whatever its path: requests for another host, and writes for another site.
    fn admit(&self, request: &Request) -> Result<(), ApiError> {
        let host = Host::of(request)?;
        self.served.check(host.as_ref())?;
        origin::check(request.method(), request.headers(), host.as_ref())
    }
}

fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let fit = given.filter(|id| (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()));
    fit.map_or_else(|| Uuid::new_v4().to_string(), String::from)
}

/// Whether the client asks for RFC 9457.
fn wants_problem(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/problem+json"))
    })
}
