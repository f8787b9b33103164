//! `POST /api/v1/batch`

use std::collections::BTreeMap;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use gorilla_wire::{BATCH, Outcome};

use super::{acquire, extend, release};
use crate::{
    api::{
        answer::{self, Success},
        app::App,
        body,
        error::ApiError,
        items,
        middleware::{head::Head, problem::Form},
        shape::Shape,
        target::{self, idempotency_key},
    },
    json::{Object, name},
    service::{Caller, Done, Operation},
};

/// The longest body, in bytes.
const LONGEST: usize = 1024 * 1024;

/// What a client asks for.
struct Asked {
    caller: Caller,
    /// The form that it wants of errors.
    form: Form,
    operations: Vec<Operation>,
    /// Whether the answer leaves successes out.
    brief: bool,
}

/// Does many operations, each as if it had come alone.
pub async fn batch(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let Asked { caller, form, operations, brief } = read(&app, request).await?;
    let done = app.service.batch(&caller, operations, brief).await;
    Ok(answer::ok(told(&app, done, form, brief, &caller)).into_response())
}

async fn read(app: &App, request: Request) -> Result<Asked, ApiError> {
    let (mut parts, body) = request.into_parts();
    target::refuse_parameters(&parts.uri, "a batch")?;
    // `server` has put it there for every request.
    let caller = parts.extensions.remove().ok_or(ApiError::Panic)?;
    let body = body::read(app, &parts.headers, body, LONGEST).await?;
    let key = idempotency_key(&parts.headers, &caller)?;
    let (operations, brief) = items::read(app.limits(), &body::parse(&body)?, key.as_ref(), caller.taker().as_ref())?;
    Ok(Asked { caller, form: Form::accepted(&Head::of(&parts.headers)), operations, brief })
}

/// How many items ended how.
#[derive(Default)]
struct Counts {
    ok: u64,
    failed: u64,
    unknown: u64,
}

/// The JSON of a [`gorilla_wire::Batched`].
fn told(app: &App, done: Vec<Done>, form: Form, brief: bool, caller: &Caller) -> String {
    let (mut counts, mut results, mut causes) = (Counts::default(), String::from("["), BTreeMap::new());
    for (index, done) in done.into_iter().enumerate() {
        let operation = operation(&done);
        let Some(answer) = answered(done).transpose() else {
            counts.ok += 1;
            app.metrics.requests.ended(operation, None);
            continue;
        };
        match &answer {
            Ok(_) => {
                counts.ok += 1;
                app.metrics.requests.ended(operation, None);
            }
            Err(error) => {
                let code = Shape::of(error).body;
                app.metrics.requests.ended(operation, Some(code.code));
                match code.outcome {
                    Outcome::NotExecuted => counts.failed += 1,
                    Outcome::Unknown => counts.unknown += 1,
                }
                if let Some(cause) = error.cause() {
                    *causes.entry((code.code, cause.to_string())).or_insert(0) += 1;
                }
            }
        }
        if answer.is_err() || !brief {
            if results.len() > 1 {
                results.push(',');
            }
            results.push_str(&result(index, answer, form));
        }
    }
    results.push(']');
    // Many items may have met the same, so that a line for each would only hide other lines.
    for ((code, cause), items) in causes {
        let (request_id, code) = (caller.request_id.as_str(), code.as_str());
        tracing::error!(request_id, route = BATCH, code, cause, items, "items of a batch have no outcome");
    }
    let mut body = Object::with_capacity(results.len() + 64);
    body.member(name!("ok")).whole(counts.ok);
    body.member(name!("failed")).whole(counts.failed);
    body.member(name!("unknown")).whole(counts.unknown);
    body.member(name!("results")).raw(&results);
    body.end()
}

/// The single operation that an item stands for.
fn operation(done: &Done) -> gorilla_wire::Operation {
    match done {
        Done::Acquire(..) => gorilla_wire::Operation::Acquire,
        Done::Extend(..) | Done::Renewed => gorilla_wire::Operation::Extend,
        Done::Release(..) => gorilla_wire::Operation::Release,
    }
}

/// What the single operation would have been answered; nothing of a success of which a brief answer tells no more.
fn answered(done: Done) -> Result<Option<Success>, ApiError> {
    let answer = match done {
        Done::Renewed => return Ok(None),
        Done::Acquire(asked, acquired) => acquire::answer(&asked, acquired?),
        Done::Extend(asked, extended) => extend::answer(asked, extended?),
        Done::Release(asked, released) => release::answer(asked, released?),
    };
    answer.map(Some)
}

/// The JSON of a [`gorilla_wire::ItemResult`].
fn result(index: usize, answer: Result<Success, ApiError>, form: Form) -> String {
    let (status, json, replayed, retry_after) = match answer {
        Ok(success) => (success.status(), success.json, success.replayed, None),
        Err(error) => {
            let shape = Shape::of(&error);
            let (status, retry_after) = (shape.body.code.status(), shape.retry_after);
            (status, Some(form.json(shape)), false, retry_after)
        }
    };
    let mut result = Object::with_capacity(json.as_ref().map_or(0, String::len) + 64);
    result.member(name!("index")).whole(index);
    result.member(name!("status")).whole(status.as_u16());
    if let Some(json) = json {
        result.member(name!("body")).raw(&json);
    }
    if replayed {
        result.member(name!("replayed")).raw("true");
    }
    if let Some(seconds) = retry_after {
        result.member(name!("retryAfter")).whole(seconds);
    }
    result.end()
}
