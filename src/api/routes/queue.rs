//! `GET /api/v1/locks/{resource}/queue`

use axum::{extract::State, response::Response};
use gorilla_wire::{Mode, Queue, Waiter};

use crate::api::{
    answer::{self, milliseconds},
    app::App,
    error::ApiError,
    target::Target,
};

/// How many requests an answer tells at most.
const MOST: u64 = 1000;

/// The requests that wait for a lock, first come, first served.
pub async fn queue(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, .. } = target;
    let line = app.service.queue(&caller, &resource, MOST).await?;
    let waiters = line.first.iter().zip(1..).map(|(waiter, position)| Waiter {
        position,
        owner: waiter.owner.as_str(),
        mode: if waiter.permits.is_some() { Mode::Shared } else { Mode::Exclusive },
        permits: waiter.permits,
        waited_ms: milliseconds(waiter.waited),
    });
    Ok(answer::json(&Queue { resource: resource.as_str(), waiting: line.waiting, queue: waiters.collect() }))
}
