//! `POST /api/v1/locks/{resource}`

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use gorilla_domain::{Acquire, Acquired, Blocked, Blocker, IdempotencyKey, Lock, Once, ResourceName, Taker};
use serde_json::value::RawValue;

use crate::{
    api::{
        answer::{MayHaveWaited, Success},
        app::App,
        body,
        error::ApiError,
        fields,
        invalid::Invalid,
        target::{Target, idempotency_key},
    },
    service::Caller,
    settings::Limits,
};

/// Takes a lock, or waits for it.
pub fn acquire(State(app): State<App>, target: Target) -> impl Future<Output = Result<Response, ApiError>> {
    // Boxed, so that a request that waits keeps no room for its head and body.
    let read = Box::pin(read(app.clone(), target));
    taken(app, read, answer)
}

/// Takes the lock that was asked for, or waits for it, and says what the client is told.
pub async fn taken(
    app: App,
    read: Pin<Box<impl Future<Output = Result<(Caller, Arc<Acquire>), ApiError>>>>,
    answer: fn(&Acquire, Acquired) -> Result<Success, ApiError>,
) -> Result<Response, ApiError> {
    // A request that waits keeps only what it asks for: head and body would keep a buffer of the connection.
    let (caller, asked) = read.await?;
    let acquired = app.service.acquire(&caller, &asked).await;
    let answered = acquired.map_err(ApiError::from).and_then(|acquired| answer(&asked, acquired));
    let mut response = answered.map_or_else(ApiError::into_response, Success::into_response);
    if !asked.wait.is_zero() {
        response.extensions_mut().insert(MayHaveWaited);
    }
    Ok(response)
}

/// Who asks, and for what.
fn read(app: App, target: Target) -> impl Future<Output = Result<(Caller, Arc<Acquire>), ApiError>> {
    // Taken apart here, because an async function would keep the target beside its parts.
    let Target { caller, resource, headers, body, .. } = target;
    async move {
        let body = body::read(&app, &headers, body, body::LONGEST).await?;
        let key = || idempotency_key(&headers, &caller);
        let asked = parse(app.limits(), resource, key, caller.taker(), &body)?.into();
        Ok((caller, asked))
    }
}

/// What a request asks for.
pub fn parse(
    limits: &Limits,
    resource: ResourceName,
    key: impl FnOnce() -> Result<Option<IdempotencyKey>, Invalid>,
    taker: Option<Taker>,
    body: &[u8],
) -> Result<Acquire, ApiError> {
    let fields = body::parse(body)?;
    Ok(asked(limits, resource, fields, key()?, taker)?)
}

/// What the fields ask for.
pub fn asked(
    limits: &Limits,
    resource: ResourceName,
    fields: gorilla_wire::Acquire<&RawValue>,
    key: Option<IdempotencyKey>,
    taker: Option<Taker>,
) -> Result<Acquire, Invalid> {
    let owner = fields::owner(fields.owner)?;
    let lease = fields::lease(fields.timeout, limits.max_timeout)?;
    let metadata = fields::metadata(fields.metadata)?;
    let wait = fields::wait(fields.wait, limits.max_wait)?;
    let headstart = fields::headstart(fields.headstart, limits.max_wait)?;
    let replaces = fields::replaces(fields.replaces)?;
    let mode = fields::mode(fields.mode, fields.limit, fields.permits)?.unwrap_or_default();
    // A client may wait in pieces of different lengths, so the fingerprint of a request leaves its wait out.
    let once = key.map(|key| {
        let (timeout, share) = (lease.as_millis().to_string(), mode.share().map(fields::share));
        let mut print = vec!["acquire", owner.as_str(), &timeout, metadata.as_str()];
        print.extend(share.iter().flatten().map(String::as_str));
        let ahead = (!headstart.is_zero()).then(|| format!("headstart {}", headstart.as_millis()));
        print.extend(ahead.as_deref());
        let replacing = replaces.as_ref().map(|replaces| format!("replaces {}", replaces.as_str()));
        print.extend(replacing.as_deref());
        Once::new(key, &print)
    });
    Ok(Acquire { resource, owner, lease, metadata, wait, mode, headstart, replaces, once, taker })
}

/// What the client is told.
pub fn answer(asked: &Acquire, acquired: Acquired) -> Result<Success, ApiError> {
    let (lock, replayed) = granted(&asked.resource, asked.wait, acquired)?;
    Ok(Success::lock(&asked.resource, &lock, asked.lease.as_duration(), replayed))
}

/// The lock that an acquire was granted, and whether it was granted before.
pub fn granted(resource: &ResourceName, wait: Duration, acquired: Acquired) -> Result<(Lock, bool), ApiError> {
    let resource = || resource.clone();
    let lock_held =
        |holder, group, waiting| ApiError::LockHeld { resource: resource(), holder, group, waiting: Some(waiting) };
    Err(match acquired {
        Acquired::Granted(lock) => return Ok((lock, false)),
        Acquired::Replayed(lock) => return Ok((lock, true)),
        Acquired::Blocked(blocked) if !wait.is_zero() => {
            ApiError::WaitTimeout { resource: resource(), wait, blocked: Box::new(blocked) }
        }
        Acquired::Blocked(Blocked { by, waiting, .. }) => match by {
            Blocker::Holder(holder) => lock_held(holder, None, waiting),
            Blocker::Group(holder, group) => lock_held(holder, Some(group), waiting),
            Blocker::Queue => ApiError::LockReserved { resource: resource(), waiting },
            Blocker::Recovery(left) => ApiError::Recovering { resource: resource(), left, waiting: Some(waiting) },
        },
        Acquired::LimitMismatch { limit } => ApiError::LimitMismatch { resource: resource(), limit },
        Acquired::TooManyHolders { holders } => ApiError::TooManyHolders { resource: resource(), holders },
        Acquired::Unsettled(left) => ApiError::Unsettled { resource: resource(), left },
        Acquired::QueueFull { waiting } => ApiError::QueueFull { resource: resource(), waiting },
        Acquired::Replaced => ApiError::Replaced { resource: resource() },
        Acquired::Dismissed => ApiError::Draining,
        // The service answers this as a refusal of the caller.
        Acquired::QuotaReached { .. } => ApiError::Panic,
        Acquired::Gone => ApiError::LockGone { resource: resource() },
        Acquired::KeyReused => ApiError::KeyReused,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<F>(_: impl FnOnce(State<App>, Target) -> F) -> usize {
        size_of::<F>()
    }

    /// Each request that waits keeps its future, so what is rare must not make the future longer.
    #[test]
    fn a_request_that_waits_keeps_less_than_2_kib_for_its_handler() {
        let size = size_of_future(acquire);
        assert!(size <= 2048, "{size} bytes; box what a waiter rarely needs");
    }
}
