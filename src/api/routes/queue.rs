//! `GET /api/v1/locks/{resource}/queue?limit=`

use axum::{extract::State, response::Response};
use gorilla_wire::{Mode, Queue, Waiter};

use crate::{
    api::{
        answer::{self, milliseconds},
        app::App,
        error::ApiError,
        invalid::Invalid,
        query::parameters,
        target::{Target, WithQuery},
    },
    rfc3339::Rfc3339,
};

/// How many requests an answer tells at most.
const MOST: u64 = 1000;

/// The requests that wait for a lock, first come, first served.
pub async fn queue(State(app): State<App>, asked: WithQuery) -> Result<Response, ApiError> {
    let WithQuery { target: Target { caller, resource, .. }, query } = asked;
    let [limit] = parameters(&query, ["limit"])?;
    let limit = match limit {
        None => MOST,
        Some(limit) => {
            let limit = limit.parse().ok().filter(|limit| (1..=MOST).contains(limit));
            limit.ok_or_else(|| Invalid::new("limit", format!("must be a whole number from 1 to {MOST}")))?
        }
    };
    let line = app.service.queue(&caller, &resource, limit).await?;
    let since = line.first.iter().map(|waiter| Rfc3339::of(waiter.since));
    let since: Vec<_> = since.collect();
    let waiters = line.first.iter().zip(&since).zip(1..).map(|((waiter, since), position)| Waiter {
        position,
        owner: waiter.owner.as_str(),
        mode: if waiter.permits.is_some() { Mode::Shared } else { Mode::Exclusive },
        permits: waiter.permits,
        waited_ms: milliseconds(waiter.waited),
        since: Some(since.as_str()),
        id: Some(waiter.id.as_str()),
        replica: Some(waiter.replica.as_str()),
    });
    Ok(answer::json(&Queue { resource: resource.as_str(), waiting: line.waiting, queue: waiters.collect() }))
}
