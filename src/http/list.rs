//! `GET /api/v1/locks?prefix=&cursor=&limit=`

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use serde::Serialize;

use super::{App, answer, error::ApiError};
use crate::{
    lock::{Invalid, ResourceName},
    store::Cursor,
};

const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1000;

/// A page of the held locks.
pub async fn list(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let (mut prefix, mut cursor, mut limit) = (String::new(), Cursor::default(), DEFAULT_LIMIT);
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "prefix" => prefix = value.into(),
            "cursor" if value.is_empty() => {}
            "cursor" => {
                cursor =
                    value.parse().map_err(|()| Invalid::new("cursor", "must be one that a page before answered"))?;
            }
            "limit" => {
                limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=MOST).contains(limit))
                    .ok_or_else(|| Invalid::new("limit", format!("must be a whole number from 1 to {MOST}")))?;
            }
            other => {
                let problem = format!("has the unknown parameter {other:?}; known are prefix, cursor, limit");
                return Err(Invalid::new("query", problem).into());
            }
        }
    }
    if prefix.len() > ResourceName::LONGEST {
        return Err(Invalid::new("prefix", format!("must be at most {} bytes", ResourceName::LONGEST)).into());
    }
    let page = app.store.list(&prefix, cursor, limit).await?;
    let locks = page.locks.iter().map(|(resource, state)| answer::public_state(resource, state)).collect();
    Ok(answer::json(&Listed { locks, cursor: page.next.map(|next| next.to_string()) }))
}

/// A page. `cursor` is null on the last one.
#[derive(Serialize)]
struct Listed<L> {
    locks: Vec<L>,
    cursor: Option<String>,
}
