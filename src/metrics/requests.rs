//! Requests as HTTP has them, and the operations in them.

use std::time::Duration;

use gorilla_wire::{Code, Operation};
use http::StatusCode;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::table::{Labels, Table};

/// In seconds: from 100 µs in steps of two, and some for requests that hang.
const DURATIONS: [f64; 15] =
    [0.0001, 0.0002, 0.0004, 0.0008, 0.0016, 0.0032, 0.0064, 0.0128, 0.0256, 0.0512, 0.1, 0.4, 1.6, 5.0, 15.0];
/// In seconds: how long acquires wait.
const WAITS: [f64; 12] = [0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 300.0];
/// What is not one of the operations: an unknown path, or a method that the path doesn't have.
const OTHER: &str = "_OTHER";

/// How the wait of an acquire ended.
#[derive(Clone, Copy, Debug)]
pub enum Waited {
    /// With the lock.
    Granted,
    /// The time was over.
    TimedOut,
    /// In another way.
    Other,
}

/// Requests and operations.
#[derive(Debug)]
pub struct Requests {
    /// By operation; the last is what is no operation.
    durations: Table<Histogram>,
    /// By operation and status.
    answers: Table<Counter>,
    /// By the name of the operation and the outcome.
    operations: Table<Counter>,
    /// The number of the count for an operation and an outcome, which is 0 for a success and else 1 more than that of the code.
    places: Vec<Vec<usize>>,
    waits: Table<Histogram>,
    /// Requests that are being answered.
    pub active: Gauge,
    statuses: Vec<StatusCode>,
}

impl Default for Requests {
    fn default() -> Self {
        let mut statuses = vec![StatusCode::OK, StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        statuses.extend(Code::ALL.iter().map(|code| code.status()));
        statuses.sort_unstable();
        statuses.dedup();
        let routes = || Operation::ALL.into_iter().map(Some).chain([None]);
        let route = |operation: Option<Operation>| {
            let method = match operation.map(Operation::method) {
                Some(http::Method::POST) => "POST",
                Some(http::Method::PUT) => "PUT",
                Some(http::Method::DELETE) => "DELETE",
                Some(_) => "GET",
                None => OTHER,
            };
            vec![("http_request_method", method), ("http_route", operation.map_or(OTHER, Operation::path))]
        };
        let answers = routes().flat_map(|operation| {
            let status = |status: &StatusCode| {
                let mut labels = route(operation);
                labels.push(("http_response_status_code", text_of(*status)));
                labels
            };
            statuses.iter().map(status).collect::<Vec<_>>()
        });
        let (outcomes, places) = outcomes();
        let waited = ["granted", "timed_out", "other"].map(|outcome| vec![("outcome", outcome)]);
        Self {
            durations: Table::new(routes().map(route), || Histogram::new(DURATIONS)),
            answers: Table::new(answers, Counter::default),
            operations: Table::new(outcomes, Counter::default),
            places,
            waits: Table::new(waited, || Histogram::new(WAITS)),
            active: Gauge::default(),
            statuses,
        }
    }
}

impl Requests {
    /// A request was answered. A request that waited for a lock says nothing of how fast Gorilla is: it has no
    /// duration.
    pub fn answered(&self, operation: Option<Operation>, status: StatusCode, took: Option<Duration>) {
        let row = operation.map_or(Operation::ALL.len(), |operation| operation as usize);
        if let (Some(took), Some(duration)) = (took, self.durations.get(row)) {
            duration.observe(took.as_secs_f64());
        }
        let column = self.statuses.binary_search(&status).ok();
        if let Some(answers) = column.and_then(|column| self.answers.get(row * self.statuses.len() + column)) {
            answers.inc();
        }
    }

    /// An operation ended: alone, or as an item of a batch. Without a code it succeeded.
    pub fn ended(&self, operation: Operation, code: Option<Code>) {
        let column = code.map_or(0, |code| 1 + code as usize);
        let place = self.places.get(operation as usize).and_then(|row| row.get(column));
        if let Some(count) = place.and_then(|place| self.operations.get(*place)) {
            count.inc();
        }
    }

    /// How many operations of this kind have succeeded.
    pub fn succeeded(&self, operation: Operation) -> u64 {
        self.count(operation, 0)
    }

    /// How many operations of this kind were refused with this code.
    pub fn refused(&self, operation: Operation, code: Code) -> u64 {
        self.count(operation, 1 + code as usize)
    }

    fn count(&self, operation: Operation, column: usize) -> u64 {
        let place = self.places.get(operation as usize).and_then(|row| row.get(column));
        place.and_then(|place| self.operations.get(*place)).map_or(0, Counter::get)
    }

    /// An acquire has waited for so long.
    pub fn waited(&self, how: Waited, time: Duration) {
        if let Some(waits) = self.waits.get(how as usize) {
            waits.observe(time.as_secs_f64());
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Time from the head of a request to its answer, in seconds, without acquires that may wait";
        registry.register("http_server_request_duration_seconds", help, self.durations.clone());
        registry.register("http_server_requests", "Answered requests", self.answers.clone());
        registry.register("http_server_active_requests", "Requests that are being answered", self.active.clone());
        let help = "Operations that ended, the items of batches among them";
        registry.register("gorilla_operations", help, self.operations.clone());
        let help = "How long acquires with a wait waited, in seconds";
        registry.register("gorilla_wait_duration_seconds", help, self.waits.clone());
    }
}

/// The counts of operations: those that the document of the interface names, and `_OTHER` for what it does not name. Then
/// the number of the count for each operation and outcome.
fn outcomes() -> (Vec<Labels>, Vec<Vec<usize>>) {
    let mut labels: Vec<Labels> = Vec::new();
    let mut place = |operation: Operation, outcome| {
        let pair = vec![("operation", operation.name()), ("outcome", outcome)];
        labels.iter().position(|known| *known == pair).unwrap_or_else(|| {
            labels.push(pair);
            labels.len() - 1
        })
    };
    let mut row = |operation: Operation| {
        // The token in the path is the same operation as the token in a header, and may be refused in more ways.
        let same = Operation::ALL.into_iter().filter(|other| other.name() == operation.name());
        let known: Vec<_> = same.flat_map(Operation::codes).collect();
        let code = |code: &Code| if known.contains(code) { code.as_str() } else { OTHER };
        ["ok"].into_iter().chain(Code::ALL.iter().map(code)).map(|outcome| place(operation, outcome)).collect()
    };
    let places = Operation::ALL.into_iter().map(&mut row).collect();
    (labels, places)
}

/// A status as a label.
fn text_of(status: StatusCode) -> &'static str {
    // There are few of them, once for each replica.
    String::leak(status.as_u16().to_string())
}
