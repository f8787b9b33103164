//! What every handler can reach.

use std::{sync::Arc, time::Duration};

use crate::{
    metrics::{Metrics, Page},
    service::Service,
    settings::{Limits, Settings},
};

/// Cheap to clone, as axum does for each request.
#[derive(Clone)]
pub struct App {
    /// The use cases.
    pub service: Arc<Service>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The page of the metrics, if it is served among the operations.
    pub page: Option<Arc<Page>>,
    settings: Arc<Settings>,
}

impl App {
    /// Makes what the handlers of a replica share.
    pub fn new(service: Arc<Service>, metrics: Arc<Metrics>, page: Option<Arc<Page>>, settings: Arc<Settings>) -> Self {
        Self { service, metrics, page, settings }
    }

    /// How much a request may ask for.
    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// How long a body may take to arrive.
    pub fn body_timeout(&self) -> Duration {
        self.settings.server.body_timeout
    }
}
