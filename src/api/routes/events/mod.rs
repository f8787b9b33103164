//! `GET /api/v1/events`: what happens to locks, as a stream of server-sent events or as a long poll

mod asked;
mod frames;
mod leaders;
mod poll;
mod stream;

use axum::{
    Extension,
    extract::{RawQuery, State},
    http::{HeaderMap, header},
    response::Response,
};

use crate::{
    api::{app::App, error::ApiError},
    service::Caller,
};
use asked::Asked;
pub use stream::Streaming;

/// The stream, or with `Accept: application/json` the long poll.
pub async fn events(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    match is_poll(&headers) {
        true => poll::answer(&app, &caller, Asked::of_poll(&query, &headers, app.limits().max_wait)?).await,
        false => stream::answer(app, caller, Asked::of_stream(&query, &headers)?).await,
    }
}

/// Whether the client accepts JSON and no stream. `*/*`, as curl sends it, means the stream.
fn is_poll(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let kinds = accepted.flat_map(|value| value.split(',')).filter_map(|kind| kind.split(';').next());
    let kinds: Vec<_> = kinds.map(str::trim).collect();
    let has = |wanted: &str| kinds.iter().any(|kind| kind.eq_ignore_ascii_case(wanted));
    has("application/json") && !has(gorilla_wire::EVENT_STREAM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_accepts_json_and_no_stream_polls() {
        let polls = |accept: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, value.parse().expect("a value"));
            }
            is_poll(&headers)
        };
        for accept in
            [&["application/json"] as &[_], &["text/html, Application/JSON;q=0.9"], &["text/html", "application/json"]]
        {
            assert!(polls(accept), "{accept:?}");
        }
        for accept in
            [&[] as &[_], &["*/*"], &["text/event-stream"], &["application/json, text/event-stream"], &["text/html"]]
        {
            assert!(!polls(accept), "{accept:?}");
        }
    }
}
