//! The table of routes: which handler answers each operation of the interface.

pub(super) mod acquire;
mod acquire_set;
mod batch;
mod break_lock;
pub(super) mod extend;
mod health;
mod limit;
mod list;
mod openapi;
mod queue;
pub(super) mod release;
mod state;

use axum::{
    Router,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use gorilla_wire::Operation;

use super::{app::App, error::ApiError};
#[cfg(any(fuzzing, test))]
pub(crate) use acquire::parse as parse_acquire;

/// The router.
pub fn router(app: App) -> Router {
    let route = |router: Router<App>, operation: Operation| router.route(operation.path(), handler(operation));
    let router = Operation::ALL.into_iter().fold(Router::new(), route);
    router.fallback(async || ApiError::UnknownPath).method_not_allowed_fallback(other_method).with_state(app)
}

/// The handler of an operation, behind the method of the operation.
fn handler(operation: Operation) -> MethodRouter<App> {
    let method = MethodFilter::try_from(operation.method()).expect("axum has the methods of all operations");
    match operation {
        Operation::List => on(method, list::list),
        Operation::AcquireSet => on(method, acquire_set::acquire_set),
        Operation::State => on(method, state::state_or_status),
        Operation::Acquire => on(method, acquire::acquire),
        Operation::ExtendByHeader | Operation::Extend => on(method, extend::extend),
        Operation::ReleaseByHeader | Operation::Release => on(method, release::release),
        Operation::Status => on(method, state::status),
        Operation::Break => on(method, break_lock::break_lock),
        Operation::Queue => on(method, queue::queue),
        Operation::Limit => on(method, limit::limit),
        Operation::PinLimit => on(method, limit::pin),
        Operation::UnpinLimit => on(method, limit::unpin),
        Operation::Batch => on(method, batch::batch),
        Operation::Health => on(method, health::health),
        Operation::Ready => on(method, health::ready),
        Operation::OpenApi => on(method, openapi::openapi),
    }
}

/// Answers a known path with a method that it doesn't have. axum adds `Allow`.
async fn other_method(method: Method) -> Response {
    match method {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => ApiError::MethodNotAllowed.into_response(),
    }
}

/// The paths of all routes, by which the log names routes, as the router finds them.
pub struct Paths(matchit::Router<&'static str>);

impl Default for Paths {
    fn default() -> Self {
        let mut paths = matchit::Router::new();
        for path in Operation::ALL.map(Operation::path) {
            // Some operations share a path, which is refused the second time. If a path were bad, the router would have
            // panicked.
            let _ = paths.insert(path, path);
        }
        Self(paths)
    }
}

impl Paths {
    /// The path of the route that a path belongs to; `none` if it belongs to no route.
    pub fn route(&self, path: &str) -> &'static str {
        self.0.at(path).map_or("none", |found| found.value)
    }
}
