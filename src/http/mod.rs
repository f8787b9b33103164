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
    routing::{MethodRouter, get, post},
};

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
        let router = routes().into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
        let router = router.fallback(async || ApiError::UnknownPath).method_not_allowed_fallback(other_method);
        let mut paths = matchit::Router::new();
        for path in self::paths() {
            // One that is refused here the router would have refused by a panic.
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

/// Each path with its methods. A list, because a router does not tell its paths, and a test holds the document against them.
fn routes() -> [(&'static str, MethodRouter<App>); 7] {
    [
        ("/api/v1/locks", get(list::list)),
        (
            "/api/v1/locks/{resource}",
            get(status::state_or_status).post(acquire::acquire).put(extend::extend).delete(release::release),
        ),
        ("/api/v1/locks/{resource}/{token}", get(status::status).put(extend::extend).delete(release::release)),
        ("/api/v1/locks/{resource}/break", post(break_lock::break_lock)),
        ("/_health", get(health::health)),
        ("/_ready", get(health::ready)),
        ("/openapi.json", get(openapi::openapi)),
    ]
}

/// The paths of all routes, with names in braces where they have parameters.
pub fn paths() -> impl Iterator<Item = &'static str> {
    routes().into_iter().map(|(path, _)| path)
}

/// A known path with a method that it doesn't have. axum adds `Allow`.
async fn other_method(method: Method) -> Response {
    match method {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => ApiError::MethodNotAllowed.into_response(),
    }
}
