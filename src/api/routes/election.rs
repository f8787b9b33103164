//! `/api/v1/elections/{resource}`: an election is the lock of the same name, and its leader the exclusive holder.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use gorilla_domain::{Acquire, Acquired, ResourceName, State as LockState, Token};
use gorilla_wire::{Campaign, Keep};

use super::{acquire, extend, release};
use crate::{
    api::{
        answer::{self, MayHaveWaited, Success},
        app::App,
        body,
        error::ApiError,
        fields,
        invalid::Invalid,
        query::parameters,
        target::{Target, WithQuery, idempotency_key},
    },
    service::Caller,
};

/// What a client that has seen nobody lead gives for a term.
const NONE: &str = "none";

/// Takes the lock exclusively, or waits for it.
pub fn campaign(State(app): State<App>, target: Target) -> impl Future<Output = Result<Response, ApiError>> {
    // Boxed, as in an acquire.
    let read = Box::pin(read(app.clone(), target));
    acquire::taken(app, read, elected)
}

async fn read(app: App, target: Target) -> Result<(Caller, Arc<Acquire>), ApiError> {
    let Target { caller, resource, headers, body, .. } = target;
    let body = body::read(&app, &headers, body, body::LONGEST).await?;
    let fields: Campaign<_> = body::parse(&body)?;
    let key = idempotency_key(&headers, &caller)?;
    let asked = acquire::asked(app.limits(), resource, fields.into(), key, caller.taker())?;
    Ok((caller, asked.into()))
}

fn elected(asked: &Acquire, acquired: Acquired) -> Result<Success, ApiError> {
    let (lock, replayed) = acquire::granted(&asked.resource, asked.wait, acquired)?;
    Ok(Success::leadership(&asked.resource, &lock, asked.lease.as_duration(), replayed))
}

/// Extends the lease of the leader.
pub async fn keep(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, token, headers, body } = target;
    let token = token_of_leader(&resource, token)?;
    let body = body::read(&app, &headers, body, body::LONGEST).await?;
    let fields: Keep<_> = body::parse(&body)?;
    let key = idempotency_key(&headers, &caller)?;
    let asked = extend::asked(app.limits(), resource, token, fields.into(), key)?;
    let extended = app.service.extend(&caller, &asked).await?;
    let (resource, lease) = (asked.resource.clone(), asked.lease.as_duration());
    let (lock, replayed) = extend::extended(asked, extended)?;
    Ok(Success::leadership(&resource, &lock, lease, replayed).into_response())
}

/// Releases the lock of the leader.
pub async fn resign(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, token, headers, body } = target;
    let token = token_of_leader(&resource, token)?;
    release::refuse_other_bodies(&app, &headers, body).await?;
    let asked = release::asked(resource, token, Duration::ZERO, idempotency_key(&headers, &caller)?);
    let released = app.service.release(&caller, &asked).await?;
    release::answer(asked, released).map(Success::into_response)
}

/// The token of a request. The token of one who shares the lock is not that of a leader.
fn token_of_leader(resource: &ResourceName, token: Option<Token>) -> Result<Token, ApiError> {
    let token = token.ok_or(ApiError::MissingToken)?;
    match token.of_shared() {
        Some(_) => Err(ApiError::TokenNotFound { resource: resource.clone(), is_well_formed: true }),
        None => Ok(token),
    }
}

/// Who leads; with `after` and `wait` as soon as that is news.
pub fn leader(State(app): State<App>, request: WithQuery) -> impl Future<Output = Result<Response, ApiError>> {
    // Boxed, so that a request that waits keeps no room for its head and body.
    Box::pin(async move {
        let WithQuery { target: Target { caller, resource, .. }, query } = request;
        let [after, wait] = parameters(&query, ["after", "wait"])?;
        let wait = fields::wait_in_query(wait.as_deref(), app.limits().max_wait)?.unwrap_or_default();
        let known = after.as_deref().map(Known::parse).transpose()?;
        if !wait.is_zero() && known.is_none() {
            return Err(Invalid::new("after", "is needed with `wait`: it says which leader is no news").into());
        }
        drop(query);
        let is_news = |state: &LockState| known.is_none_or(|known| known.is_outdated_by(state));
        let seen = app.service.watch(&caller, &resource, wait, is_news).await?;
        let mut response = answer::json(&answer::election(&resource, &seen));
        if !wait.is_zero() {
            response.extensions_mut().insert(MayHaveWaited);
        }
        Ok(response)
    })
}

/// What a client knows of an election.
#[derive(Clone, Copy)]
enum Known {
    /// Nobody leads.
    Vacant,
    /// The leader of this term leads, or led.
    Term(u64),
}

impl Known {
    fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            NONE => Ok(Self::Vacant),
            term => term.parse().map(Self::Term).map_err(|_| {
                Invalid::new("after", "must be the `term` of an earlier answer, or `none` if it had no leader")
            }),
        }
    }

    /// Whether a state is news. A term below the known one is none: terms rise, and Redis may have lost what is later.
    fn is_outdated_by(self, state: &LockState) -> bool {
        match (self, answer::leading(state)) {
            (Self::Vacant, leader) => leader.is_some(),
            (Self::Term(_), None) => true,
            (Self::Term(known), Some((tenure, _))) => tenure.fence > known,
        }
    }
}
