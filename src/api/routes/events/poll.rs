//! The long poll: the events after a cursor, at once or as soon as one comes.

use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use futures_util::FutureExt;
use gorilla_wire::{Bye, Events, Missed};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use super::{
    asked::{Asked, Poll, Since},
    stream::missed,
};
use crate::{
    api::{
        answer::{self, MayHaveWaited},
        app::App,
        error::ApiError,
    },
    service::{Caller, Heard, Recent, Refusal},
};

/// The answer: what is there, or what comes first within the wait.
pub async fn answer(app: &App, caller: &Caller, asked: Asked<Poll>) -> Result<Response, ApiError> {
    let Asked { filter, since, recent, form: Poll { wait, limit } } = asked;
    let deadline = Instant::now() + wait;
    let cursor = since.as_ref().and_then(|Since(cursor)| *cursor);
    let is_unknown = since.is_some() && cursor.is_none();
    let Recent { mut events, cursor } = match since {
        None if recent > 0 => app.service.recent(caller, &filter, recent).await?,
        _ => Recent { events: Vec::new(), cursor },
    };
    let mut listening = app.service.listen(caller, filter, cursor).await?;
    let mut why = is_unknown.then_some(Missed::Restarted);
    while events.len() < limit {
        let heard = match events.is_empty() && why.is_none() {
            true => timeout_at(deadline, listening.next()).await.ok(),
            false => listening.next().now_or_never(),
        };
        match heard {
            // The types of an election are refused, so each event that passes is wanted.
            Some(Heard::Event(event)) => events.push(event),
            Some(Heard::Missed(reason)) => {
                // What came before would seem to have come behind the gap.
                events.clear();
                why = Some(missed(reason));
            }
            Some(Heard::Bookmark(_)) => {}
            Some(Heard::Bye(Bye::Rights)) => return Err(Refusal::NotAnyMore.into()),
            Some(Heard::Bye(_)) | None => break,
        }
    }
    // The JSON of an event was written once, and is taken as it is.
    let json = events.iter().filter_map(|event| serde_json::from_slice::<&RawValue>(event.json()).ok());
    let cursor = listening.cursor().to_string();
    let mut response = answer::json(&Events { events: json.collect(), cursor, missed: why });
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(MayHaveWaited);
    Ok(response)
}
