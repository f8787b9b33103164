//! `GET /api/v1/locks?prefix=&owner=&cursor=&limit=&sort=`

use axum::{
    Extension,
    extract::{RawQuery, State},
    response::Response,
};
use gorilla_domain::{Cursor, List, Order, Owner, ResourceName};
use gorilla_wire::{Counted, Page};

use crate::{
    api::{answer, app::App, error::ApiError, invalid::Invalid, query::parameters},
    rfc3339::Rfc3339,
    service::{Caller, MOST_SORTED, Sorted, SortedList},
};

const PARAMETERS: [&str; 5] = ["prefix", "owner", "cursor", "limit", "sort"];
const WRONG_CURSOR: &str = "must be the cursor of an earlier page";
/// What the cursor of a sorted list begins with. Behind it is how many locks come before the page.
const SORTED: &str = "s-";
const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1000;

/// A page of the held locks.
pub async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let [prefix, owner, cursor, limit, sort] = parameters(query.as_deref().unwrap_or_default(), PARAMETERS)?;
    let prefix = prefix.unwrap_or_default().into_owned();
    let owner = owner.map(|owner| Owner::new(owner.into())).transpose();
    let owner = owner.map_err(|rule| Invalid::new("owner", rule))?;
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
    let cursor = cursor.as_deref().filter(|cursor| !cursor.is_empty());
    if let Some(sort) = sort {
        let order = match &*sort {
            "waiting" => Order::Waiting,
            "age" => Order::Age,
            "left" => Order::Left,
            "name" => Order::Name,
            _ => return Err(Invalid::new("sort", "must be waiting, age, left or name").into()),
        };
        let from = cursor.map(|cursor| cursor.strip_prefix(SORTED)?.parse().ok());
        let from = from.unwrap_or(Some(0)).ok_or_else(|| Invalid::new("cursor", WRONG_CURSOR))?;
        return sorted(&app, &caller, SortedList { from, limit, order, prefix, owner }).await;
    }
    let from = cursor.map(|cursor| cursor.parse().map_err(|()| Invalid::new("cursor", WRONG_CURSOR)));
    let from = from.transpose()?.unwrap_or_else(Cursor::default);
    let page = app.service.list(&caller, List { prefix, scope: None, owner, from, limit }).await?;
    let cursor = page.next.map(|next| next.to_string());
    Ok(told(&page, cursor, None))
}

/// A page of the held locks in an order.
async fn sorted(app: &App, caller: &Caller, asked: SortedList) -> Result<Response, ApiError> {
    match app.service.sorted(caller, asked).await? {
        Sorted::Page { page, total, at, progress, next } => {
            let counted_at = Rfc3339::from_millis(at).as_str().into();
            let counted = Counted { total: total as u64, counted_at, progress };
            Ok(told(&page, next.map(|next| format!("{SORTED}{next}")), Some(counted)))
        }
        Sorted::TooMany => {
            let problem = format!(
                "needs a prefix with which fewer names begin, because more than {MOST_SORTED} locks can't be sorted"
            );
            Err(Invalid::new("sort", problem).into())
        }
    }
}

fn told(page: &gorilla_domain::Page, cursor: Option<String>, counted: Option<Counted>) -> Response {
    let locks = page.locks.iter().map(|(resource, state)| answer::public_state(resource, state)).collect();
    let scope = page.scope.as_ref().map(|scope| scope.parts().into_iter().map(String::from).collect());
    answer::json(&Page { locks, scope, cursor, counted })
}
