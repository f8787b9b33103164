//! Reads the items of a batch: the fields of the body of a single operation, and with them what that operation has in
//! its path and its headers.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use gorilla_domain::{IdempotencyKey, ResourceName, Taker, Token};
use gorilla_wire::{Acquire, Body, Extend, MOST_ITEMS, Op};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    body::Fields,
    error::ApiError,
    fields,
    invalid::Invalid,
    routes::{acquire, extend, release},
    seconds::json_kind,
};
use crate::{service::Operation, settings::Limits};

/// Why an item is refused.
struct Problem {
    field: Option<&'static str>,
    text: String,
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self { field: Some(invalid.field), text: invalid.to_string() }
    }
}

/// All items of a batch. An error names the first that is wrong.
pub fn read(
    limits: &Limits,
    batch: &gorilla_wire::Batch<&RawValue>,
    key: Option<&IdempotencyKey>,
    taker: Option<&Taker>,
) -> Result<(Vec<Operation>, bool), ApiError> {
    let brief = fields::brief(batch.brief)?;
    let refuse = |problem: String| {
        Invalid::new("operations", format!("{problem}; it must be a list of at most {MOST_ITEMS} operations"))
    };
    let raw = batch.operations.map(RawValue::get).ok_or_else(|| refuse("is missing".into()))?;
    if !raw.starts_with('[') {
        return Err(refuse(format!("is {}", json_kind(raw))).into());
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(raw).map_err(|error| refuse(format!("can't be read ({error})")))?;
    if items.len() > MOST_ITEMS {
        return Err(refuse(format!("has {} items", items.len())).into());
    }
    let mut operations = Vec::with_capacity(items.len());
    let mut seen = HashMap::new();
    for (index, item) in items.into_iter().enumerate() {
        let operation = read_item(limits, item, key, taker).and_then(|operation| {
            if brief && answers_a_token(&operation) {
                let rule = "leaves out the answers of successes, and that of this item has a new token";
                return Err(Invalid::new("brief", format!("{rule}: take extends with \"rotate\": false")).into());
            }
            if key.is_some()
                && let Some(first) = seen.insert(operation.resource().clone(), index)
            {
                let rule = format!("is that of operations[{first}] too");
                let why =
                    "with an Idempotency-Key each resource may come once, because the key names one request on it";
                return Err(Invalid::new("resource", format!("{rule}; {why}")).into());
            }
            Ok(operation)
        });
        let refused = |Problem { field, text }| ApiError::InvalidItem { index, field, problem: text };
        operations.push(operation.map_err(refused)?);
    }
    Ok((operations, brief))
}

fn answers_a_token(operation: &Operation) -> bool {
    match operation {
        Operation::Acquire(_) => true,
        Operation::Extend(asked) => !asked.keeps_token,
        Operation::Release(_) => false,
    }
}

fn read_item(
    limits: &Limits,
    item: &RawValue,
    key: Option<&IdempotencyKey>,
    taker: Option<&Taker>,
) -> Result<Operation, Problem> {
    let about_all = |text: String| Problem { field: None, text };
    let raw = item.get();
    if !raw.starts_with('{') {
        return Err(about_all(format!("is {}; it must be an object", json_kind(raw))));
    }
    let fields: Fields = serde_json::from_str(raw).map_err(|error| about_all(format!("can't be read: {error}")))?;
    let op = fields.get("op").map(RawValue::get);
    let named = |op: &Op| raw_text(fields.get("op")).is_some_and(|name| name == op.as_str());
    let Some(op) = Op::ALL.into_iter().find(named) else {
        let given = op.map_or_else(|| "is missing".into(), |op| format!("is {op}"));
        return Err(Invalid::new("op", format!("{given}; it must be \"acquire\", \"extend\" or \"release\"")).into());
    };
    if fields.get("wait").is_some() {
        return Err(Invalid::new("wait", "must not be there, because the items of a batch don't wait").into());
    }
    let resource = text(&fields, "resource", "the name of a resource")?;
    let resource = ResourceName::parse(&resource).map_err(|rule| Invalid::new("resource", rule))?;
    let token = || text(&fields, "token", "the token of the lock").map(|token| Token::from_client(&token));
    let key = key.cloned();
    Ok(match op {
        Op::Acquire => {
            let body = body::<Acquire<&RawValue>>(&fields, &["op", "resource"])?;
            Operation::Acquire(acquire::asked(limits, resource, body, key, taker.cloned())?.into())
        }
        Op::Extend => {
            let body = body::<Extend<&RawValue>>(&fields, &["op", "resource", "token"])?;
            Operation::Extend(extend::asked(limits, resource, token()?, body, key)?)
        }
        Op::Release => {
            body::<gorilla_wire::Release>(&fields, &["op", "resource", "token"])?;
            Operation::Release(release::asked(resource, token()?, Duration::ZERO, key))
        }
    })
}

/// The body of the single operation, of an item that has these fields beside it.
fn body<'a, B: Body + Deserialize<'a>>(fields: &Fields<'a>, beside: &[&str]) -> Result<B, Problem> {
    let known: Vec<_> = beside.iter().chain(B::FIELDS).copied().filter(|name| *name != "wait").collect();
    let text = match fields.misnamed(&known) {
        Some(problem) => problem,
        None => match fields.as_body() {
            Ok(body) => return Ok(body),
            Err(error) => format!("can't be read: {error}"),
        },
    };
    Err(Problem { field: None, text })
}

/// A field that must be a string.
fn text<'a>(fields: &Fields<'a>, name: &'static str, what: &str) -> Result<Cow<'a, str>, Invalid> {
    let raw = fields.get(name);
    raw_text(raw).ok_or_else(|| {
        let problem = match raw.map(RawValue::get) {
            None => "is missing".into(),
            Some(raw) if raw.starts_with('"') => "is not valid Unicode".into(),
            Some(raw) => format!("is {}", json_kind(raw)),
        };
        Invalid::new(name, format!("{problem}; it must be {what}, a string"))
    })
}

/// The text of a JSON string.
fn raw_text(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    serde_json::from_str::<Text>(raw?.get()).ok().map(|Text(text)| text)
}
