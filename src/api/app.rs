//! What every handler can reach.

use std::{ops::Deref, sync::Arc, time::Duration};

use crate::{
    metrics::{Metrics, Page},
    service::Service,
    settings::{Limits, Settings},
};

/// Cheap to clone, as axum does several times for each request.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// What all clones share.
pub struct Shared {
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
        Self(Arc::new(Shared { service, metrics, page, settings }))
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Shared {
    /// How much a request may ask for.
    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// How long a body may take to arrive.
    pub fn body_timeout(&self) -> Duration {
        self.settings.server.body_timeout
    }
}
