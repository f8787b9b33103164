//! The table of routes: which handler answers each operation of the interface.

pub(super) mod acquire;
mod acquire_set;
mod batch;
mod break_lock;
mod docs;
mod election;
mod embedded;
pub(super) mod events;
pub(super) mod extend;
mod health;
mod history;
mod limit;
mod list;
mod metrics;
mod openapi;
mod queue;
pub(super) mod release;
mod state;
mod until;

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
        Operation::Leader => on(method, election::leader),
        Operation::Campaign => on(method, election::campaign),
        Operation::Keep => on(method, election::keep),
        Operation::Resign => on(method, election::resign),
        Operation::Batch => on(method, batch::batch),
        Operation::Events => on(method, events::events),
        Operation::History => on(method, history::history),
        Operation::Health => on(method, health::health),
        Operation::Ready => on(method, health::ready),
        Operation::OpenApi => on(method, openapi::openapi),
        Operation::Docs => on(method, docs::page),
        Operation::DocsFile => on(method, docs::file),
        Operation::Metrics => on(method, metrics::metrics),
    }
}

/// Answers a known path with a method that it doesn't have. axum adds `Allow`.
async fn other_method(method: Method) -> Response {
    match method {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => ApiError::MethodNotAllowed.into_response(),
    }
}

/// Which operation a request is for, as the router finds it: the log names routes by it, and its right is checked before
/// the router is asked.
pub struct Table(matchit::Router<Route>);

/// A path, with the operations that share it.
struct Route {
    path: &'static str,
    operations: Vec<Operation>,
}

impl Default for Table {
    fn default() -> Self {
        let mut paths = matchit::Router::new();
        for path in Operation::ALL.map(Operation::path) {
            let operations = Operation::ALL.into_iter().filter(|operation| operation.path() == path).collect();
            // Operations that share a path are refused the second time. If a path were bad, the router would have
            // panicked.
            let _ = paths.insert(path, Route { path, operations });
        }
        Self(paths)
    }
}

impl Table {
    /// The path of the route of a request, `none` if it belongs to no route, and the operation, if the path has one with
    /// this method.
    pub fn find(&self, method: &Method, path: &str) -> (&'static str, Option<Operation>) {
        let Ok(found) = self.0.at(path) else { return ("none", None) };
        let Route { path, operations } = found.value;
        // HEAD is wherever GET is.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        (path, operations.iter().find(|operation| operation.method() == method).copied())
    }
}
