//! `GET /api/v1/locks/{resource}/events`: what has happened to a lock

use std::borrow::Cow;

use axum::{extract::State, response::Response};
use gorilla_wire::History;
use serde_json::value::RawValue;

use crate::{
    api::{
        answer,
        app::App,
        error::ApiError,
        fields,
        invalid::Invalid,
        query::parameters,
        target::{Target, WithQuery},
    },
    rfc3339::Rfc3339,
};

const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 500;

/// What Redis still has of the events of a lock, newest first.
pub async fn history(State(app): State<App>, request: WithQuery) -> Result<Response, ApiError> {
    let WithQuery { target: Target { caller, resource, .. }, query } = request;
    let [limit, before] = parameters(&query, ["limit", "before"])?;
    let limit = fields::whole_in_query("limit", limit.as_deref(), 1..=MOST)?.unwrap_or(DEFAULT_LIMIT);
    let before = match before.as_deref() {
        None | Some("") => None,
        Some(text) => {
            let cursor =
                text.parse().map_err(|_| Invalid::new("before", "must be the cursor of an event or a page"))?;
            Some(cursor)
        }
    };
    let history = app.service.history(&caller, &resource, before, limit).await?;
    let json = history.events.iter().filter_map(|event| serde_json::from_slice::<&RawValue>(event.json()).ok());
    let since = history.recorded_since.map(Rfc3339::of);
    Ok(answer::json(&History {
        resource: Cow::Borrowed(resource.as_str()),
        recorded_since: since.as_ref().map(|since| Cow::Borrowed(since.as_str())),
        events: json.collect(),
        cursor: history.before.map(|before| before.to_string()),
    }))
}
