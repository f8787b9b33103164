//! `POST /api/v1/locks`

use std::{borrow::Cow, time::Duration};

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, Uri},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use gorilla_domain::{Acquire, AcquireSet, Mode, Once, ResourceName, SetAcquired, Share};
use serde_json::value::RawValue;

use super::acquire::granted;
use crate::{
    api::{
        answer::{self, MayHaveWaited},
        app::App,
        body,
        error::ApiError,
        fields,
        invalid::Invalid,
        seconds::json_kind,
        target::{idempotency_key, refuse_parameters},
    },
    service::Caller,
    settings::Limits,
};

/// The longest body, in bytes. 64 names of 256 bytes fit, also if the client escapes each byte, and metadata.
const LONGEST: usize = 128 * 1024;

/// Takes several locks, all or none, or waits for them.
pub async fn acquire_set(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    refuse_parameters(&uri, "a request for several locks")?;
    let body = body::read(&app, &headers, body, LONGEST).await?;
    let asked = parse(app.limits(), &headers, &caller, &body)?;
    // A set that waits keeps only what it asks for: head and body would keep a buffer of the connection.
    drop((headers, body));
    let acquired = app.service.acquire_set(&caller, &asked).await.map_err(ApiError::from);
    let answered = acquired.and_then(|acquired| answered(&asked, acquired));
    let mut response = answered.unwrap_or_else(ApiError::into_response);
    if !asked.wait().is_zero() {
        response.extensions_mut().insert(MayHaveWaited);
    }
    Ok(response)
}

/// What the client is told.
fn answered(asked: &AcquireSet, acquired: SetAcquired) -> Result<Response, ApiError> {
    match acquired {
        SetAcquired::Granted(set) => Ok(answer::lock_set(asked, &set, false)),
        SetAcquired::Replayed(set) => Ok(answer::lock_set(asked, &set, true)),
        SetAcquired::Refused { resource, by } => {
            let error = granted(&resource, asked.wait(), by).err().unwrap_or(ApiError::Panic).into();
            Err(ApiError::OfSet { resource, error })
        }
    }
}

/// What a request asks for.
fn parse(limits: &Limits, headers: &HeaderMap, caller: &Caller, body: &Bytes) -> Result<AcquireSet, ApiError> {
    let asked: gorilla_wire::AcquireSet<&RawValue> = body::parse(body)?;
    let owner = fields::owner(asked.owner)?;
    let lease = fields::lease(asked.timeout, limits.max_timeout)?;
    let metadata = fields::metadata(asked.metadata)?;
    let wait = fields::wait(asked.wait, limits.max_wait)?;
    let resources = resources(asked.resources)?;
    // The same set in another order is the same request. As with one lock, so is the same with another wait.
    let timeout = lease.as_millis().to_string();
    let mut sorted: Vec<_> = resources.iter().map(|(name, mode)| (name.as_str(), mode_text(mode))).collect();
    sorted.sort_unstable();
    let common = ["acquire", owner.as_str(), &timeout, metadata.as_str()].into_iter();
    let parts: Vec<_> = common.chain(sorted.iter().flat_map(|(name, mode)| [*name, mode])).collect();
    let once = idempotency_key(headers, caller)?.map(|key| Once::of_set(key, &parts));
    let part = |(resource, mode)| {
        let (owner, metadata, once, taker) = (owner.clone(), metadata.clone(), once.clone(), caller.taker());
        Acquire { resource, owner, lease, metadata, wait, mode, headstart: Duration::ZERO, replaces: None, once, taker }
    };
    let set = AcquireSet::new(resources.into_iter().map(part).collect());
    set.map_err(|rule| Invalid::new("resources", rule).into())
}

/// Reads `resources`: a list of objects.
fn resources(raw: Option<&RawValue>) -> Result<Vec<(ResourceName, Mode)>, Invalid> {
    let rule = "it must be a list of objects such as {\"resource\":\"stock\"}";
    let raw = raw.ok_or_else(|| Invalid::new("resources", format!("is missing; {rule}")))?;
    let items: Vec<&RawValue> = serde_json::from_str(raw.get())
        .map_err(|_| Invalid::new("resources", format!("is {}; {rule}", json_kind(raw.get()))))?;
    let read = |(index, item): (usize, &RawValue)| {
        let refuse = |problem| Invalid::new("resources", format!("has a wrong item at index {index}: {problem}"));
        part(item).map_err(refuse)
    };
    items.into_iter().enumerate().map(read).collect()
}

/// Reads one item of `resources`. An error is a sentence.
fn part(item: &RawValue) -> Result<(ResourceName, Mode), String> {
    let asked: gorilla_wire::SetPart<&RawValue> = body::parse(item.get().as_bytes()).map_err(|error| match error {
        ApiError::MalformedBody(problem) => format!("it {problem}"),
        error => format!("{error:?}"),
    })?;
    let name = asked.resource.map(RawValue::get).ok_or("it has no field \"resource\"")?;
    let name: String =
        serde_json::from_str(name).map_err(|_| format!("resource is {}, and must be a string", json_kind(name)))?;
    let resource = ResourceName::parse(&name).map_err(|rule| format!("resource {rule}"))?;
    let mode = fields::mode(asked.mode, asked.limit, asked.permits).map_err(|invalid| invalid.to_string())?;
    Ok((resource, mode.unwrap_or_default()))
}

/// A mode as a part of a fingerprint.
fn mode_text(mode: &Mode) -> Cow<'static, str> {
    match mode {
        Mode::Exclusive => "exclusive".into(),
        Mode::Shared(Share { permits, limit }) => {
            let limit = limit.map_or_else(|| "none".into(), |limit| limit.get().to_string());
            format!("shared {} {limit}", permits.get()).into()
        }
    }
}
