//! `GET /api/v1/locks?prefix=&owner=&cursor=&limit=`

use axum::{
    Extension,
    extract::{RawQuery, State},
    response::Response,
};
use gorilla_domain::{Cursor, List, Owner, ResourceName};
use gorilla_wire::Page;

use crate::{
    api::{answer, app::App, error::ApiError, invalid::Invalid, query::parameters},
    service::Caller,
};

const PARAMETERS: [&str; 4] = ["prefix", "owner", "cursor", "limit"];
const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1000;

/// A page of the held locks.
pub async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let [prefix, owner, cursor, limit] = parameters(query.as_deref().unwrap_or_default(), PARAMETERS)?;
    let prefix = prefix.unwrap_or_default().into_owned();
    let owner = owner.map(|owner| Owner::new(owner.into())).transpose();
    let owner = owner.map_err(|rule| Invalid::new("owner", rule))?;
    let from = match cursor.as_deref() {
        None | Some("") => Cursor::default(),
        Some(cursor) => cursor.parse().map_err(|()| Invalid::new("cursor", "must be the cursor of an earlier page"))?,
    };
    let limit = match limit {
        None => DEFAULT_LIMIT,
        Some(limit) => {
            let limit = limit.parse().ok().filter(|limit| (1..=MOST).contains(limit));
            limit.ok_or_else(|| Invalid::new("limit", format!("must be a whole number from 1 to {MOST}")))?
        }
    };
    if prefix.len() > ResourceName::LONGEST {
        return Err(Invalid::new("prefix", format!("must be at most {} bytes", ResourceName::LONGEST)).into());
    }
    let page = app.service.list(&caller, List { prefix, scope: None, owner, from, limit }).await?;
    let locks = page.locks.iter().map(|(resource, state)| answer::public_state(resource, state)).collect();
    let scope = page.scope.as_ref().map(|scope| scope.parts().into_iter().map(String::from).collect());
    Ok(answer::json(&Page { locks, scope, cursor: page.next.map(|next| next.to_string()) }))
}
