//! HTTP: the routes, one file an action, and the map from outcomes to answers.

mod acquire;
mod answer;
mod body;
mod break_lock;
mod error;
mod extend;
mod extract;
mod health;
mod host;
mod list;
mod observe;
mod openapi;
mod origin;
mod release;
mod status;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use axum::{
    Router,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use gorilla_wire::Operation;

use crate::{settings::Settings, store::Store};
use error::ApiError;
use host::Served;
#[cfg(any(fuzzing, test))]
pub(crate) use {acquire::parse as parse_acquire, extract::in_path};

/// What every request can reach. Cheap to clone.
#[derive(Clone)]
pub struct App {
    store: Arc<Store>,
    settings: Arc<Settings>,
    draining: Arc<AtomicBool>,
}

impl App {
    /// An application on a store.
    pub fn new(store: Arc<Store>, settings: Arc<Settings>) -> Self {
        Self { store, settings, draining: Arc::default() }
    }

    /// From now on `/_ready` is 503 and connections are closed after their answer.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// What answers requests.
    pub fn service(&self) -> Service {
        let route = |router: Router<Self>, operation: Operation| router.route(operation.path(), handler(operation));
        let router = Operation::ALL.into_iter().fold(Router::new(), route);
        let router = router.fallback(async || ApiError::UnknownPath).method_not_allowed_fallback(other_method);
        let mut paths = matchit::Router::new();
        for path in Operation::ALL.map(Operation::path) {
            // Some operations share a path. One that is refused for another reason the router would have refused by a
            // panic.
            let _ = paths.insert(path, path);
        }
        let served = Served::by(&self.settings.server);
        Service { router: router.with_state(self.clone()), paths, served, app: self.clone() }
    }
}

/// Answers requests: `observe`.
pub struct Service {
    router: Router,
    /// By which the log names routes, as the router finds them.
    paths: matchit::Router<&'static str>,
    served: Served,
    app: App,
}

impl Service {
    /// The path of the route that a path belongs to, `none` if there is none.
    fn route(&self, path: &str) -> &'static str {
        self.paths.at(path).map_or("none", |found| found.value)
    }
}

/// What answers the requests of an operation.
fn handler(operation: Operation) -> MethodRouter<App> {
    let method = MethodFilter::try_from(operation.method()).expect("axum has the methods of all operations");
    match operation {
        Operation::List => on(method, list::list),
        Operation::State => on(method, status::state_or_status),
        Operation::Acquire => on(method, acquire::acquire),
        Operation::ExtendByHeader | Operation::Extend => on(method, extend::extend),
        Operation::ReleaseByHeader | Operation::Release => on(method, release::release),
        Operation::Status => on(method, status::status),
        Operation::Break => on(method, break_lock::break_lock),
        Operation::Health => on(method, health::health),
        Operation::Ready => on(method, health::ready),
        Operation::OpenApi => on(method, openapi::openapi),
    }
}

/// A known path with a method that it doesn't have. axum adds `Allow`.
async fn other_method(method: Method) -> Response {
    match method {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => ApiError::MethodNotAllowed.into_response(),
    }
}
