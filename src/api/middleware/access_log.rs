//! The line in the log of a request, and that of an error behind it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::{Method, StatusCode};

use super::problem::Told;
use crate::access::Identity;

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

    /// Logs why a request has no outcome, if it has none, and then the request, if it is to be logged.
    pub fn end(self, status: StatusCode, told: Option<Told>, took: Duration, about: &About) {
        let Self { method, route, .. } = self;
        let About { request_id, by, is_logged } = about;
        let by = by.as_ref().map(|identity| identity.name.as_str());
        let outcome = told.as_ref().map_or("ok", |told| told.code.as_str());
        if let Some(cause) = told.and_then(|told| told.cause) {
            tracing::error!(request_id, route, code = outcome, cause, "a request has no outcome");
        }
        if *is_logged {
            let (method, status) = (method.as_str(), StatusCode::as_u16(&status));
            let duration_us = took.as_micros() as u64;
            tracing::info!(target: "gorilla::http", method, route, status, duration_us, outcome, request_id, by, "request");
        }
    }
}

/// What the line has beside the request and its outcome.
pub struct About {
    /// The name of the request.
    pub request_id: String,
    /// The identity whose API key the request has.
    pub by: Option<Arc<Identity>>,
    /// Whether the settings say that requests are logged.
    pub is_logged: bool,
}
