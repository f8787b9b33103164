//! The line in the log of a request, and that of an error behind it.

use std::time::{Duration, Instant};

use axum::{
    http::{Method, StatusCode},
    response::Response,
};

use super::problem::Told;

/// A request that is being answered.
pub struct Entry {
    begun: Instant,
    method: Method,
    route: &'static str,
}

impl Entry {
    /// A request has come to a route.
    pub fn begin(method: Method, route: &'static str) -> Self {
        Self { begun: Instant::now(), method, route }
    }

    /// How long the request has taken so far.
    pub fn took(&self) -> Duration {
        self.begun.elapsed()
    }

    /// `by` is the identity whose API key the request has.
    /// Logs why a request has no outcome, if it has none, and then the request, if the settings say so.
    pub fn end(
        self,
        response: &Response,
        told: Option<Told>,
        took: Duration,
        request_id: &str,
        by: Option<&str>,
        is_logged: bool,
    ) {
        let Self { method, route, .. } = self;
        let outcome = told.as_ref().map_or("ok", |told| told.code.as_str());
        if let Some(cause) = told.and_then(|told| told.cause) {
            tracing::error!(request_id, route, code = outcome, cause, "a request has no outcome");
        }
        if is_logged {
            let (method, status) = (method.as_str(), StatusCode::as_u16(&response.status()));
            let duration_us = took.as_micros() as u64;
            tracing::info!(target: "gorilla::http", method, route, status, duration_us, outcome, request_id, by, "request");
        }
    }
}
