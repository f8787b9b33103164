//! `GET /api/v1/locks/{resource}`: the public state, at once or after a wait, and with a token the lock of its holder

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use gorilla_domain::{ResourceName, Status, Token};

use crate::{
    api::{
        answer::{self, Success},
        app::App,
        error::ApiError,
        invalid::Invalid,
        routes::until,
        target::{Target, WithQuery},
    },
    service::Caller,
};

/// The lock of its holder with the header `Lock-Token`; the public state without it.
pub async fn state_or_status(State(app): State<App>, request: WithQuery) -> Result<Response, ApiError> {
    let WithQuery { target: Target { caller, resource, token, .. }, query } = request;
    let asked = until::parse(&query, app.limits().max_wait)?;
    match (token, asked) {
        (Some(_), Some(_)) => Err(Invalid::new("until", "must not come together with the header Lock-Token").into()),
        (Some(token), None) => held_by(&app, &caller, resource, token).await,
        (None, Some(asked)) => until::answer(&app, &caller, &resource, asked).await,
        (None, None) => {
            let state = app.service.inspect(&caller, &resource).await?;
            Ok(answer::json(&answer::public_state(&resource, &state)))
        }
    }
}

/// The lock of its holder, by the token in the path.
pub async fn status(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, token, .. } = target;
    held_by(&app, &caller, resource, token.ok_or(ApiError::MissingToken)?).await
}

async fn held_by(app: &App, caller: &Caller, resource: ResourceName, token: Token) -> Result<Response, ApiError> {
    let status = app.service.status(caller, &resource, &token).await?;
    answered(resource, &token, status).map(Success::into_response)
}

fn answered(resource: ResourceName, token: &Token, status: Status) -> Result<Success, ApiError> {
    match status {
        Status::Own(lock, by) => {
            let whole_seconds = std::time::Duration::from_secs(lock.tenure.ttl.as_secs());
            Ok(Success::status_of(&resource, &lock, by.as_deref(), whole_seconds))
        }
        Status::Other => Err(ApiError::TokenNotFound { resource, is_well_formed: token.is_well_formed() }),
        Status::Free => Err(ApiError::LockNotFound { resource }),
        Status::AfterBreak(refused, broken) => answered(resource, token, *refused).map_err(|error| error.after(broken)),
    }
}
