//! Reads the body of a request: a JSON object with known fields.

use std::{borrow::Cow, fmt};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, header},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{App, error::ApiError};

/// The longest body, in bytes.
pub const LONGEST: usize = 16 * 1024;

/// Reads the whole body, within the limits of length and time. A body that is not empty is said to be JSON.
pub async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    refuse_encoding(headers)?;
    let body = read_bytes(app, headers, body).await?;
    refuse_other_types(headers, &body)?;
    Ok(body)
}

async fn read_bytes(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > LONGEST as u64) {
        return Err(ApiError::BodyTooLarge);
    }
    let limit = app.settings.server.body_timeout;
    match tokio::time::timeout(limit, Limited::new(body, LONGEST).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::BodyTooLarge),
        Ok(Err(_)) => Err(ApiError::MalformedBody("ended before it was complete".into())),
        Err(_) => Err(ApiError::BodyTimeout(limit)),
    }
}

/// Refuses a body that is compressed, because Gorilla would read it as if it were not.
fn refuse_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |given: &HeaderValue| String::from_utf8_lossy(given.as_bytes()).into_owned();
    let is_identity = |given: &str| given.split(',').all(|coding| coding.trim().eq_ignore_ascii_case("identity"));
    let mut given = headers.get_all(header::CONTENT_ENCODING).iter().map(text);
    given.find(|given| !is_identity(given)).map_or(Ok(()), |given| Err(ApiError::UnsupportedEncoding(given)))
}

/// Refuses a body whose type is not JSON, or that has no type. A page of any site can make a browser send bodies of a
/// few other types, or without a type, and the browser does not ask the server first.
fn refuse_other_types(headers: &HeaderMap, body: &[u8]) -> Result<(), ApiError> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else {
        return if body.is_empty() { Ok(()) } else { Err(ApiError::UnsupportedMediaType(None)) };
    };
    // Mostly it is just this, and then nothing needs to be taken apart.
    if given == "application/json" {
        return Ok(());
    }
    let given = String::from_utf8_lossy(given.as_bytes());
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json { Ok(()) } else { Err(ApiError::UnsupportedMediaType(Some(given.into()))) }
}

/// The fields of a JSON object, each as the text that was sent.
pub struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Takes a body apart.
    pub fn parse(body: &'a [u8]) -> Result<Self, ApiError> {
        let malformed = |problem: &str| ApiError::MalformedBody(problem.into());
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => {
                return Err(malformed("is empty; it must be a JSON object such as {\"owner\":\"me\",\"timeout\":30}"));
            }
            Some(b'{') => {}
            Some(_) => return Err(malformed("must be a JSON object, which begins with \"{\"")),
        }
        serde_json::from_slice(body).map_err(|error| malformed(&format!("is no valid JSON: {error}")))
    }

    /// The value of a field.
    pub fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let index = self.0.iter().position(|(field, _)| field == name)?;
        Some(self.0.swap_remove(index).1)
    }

    /// Refuses what nobody took: unknown fields, and known ones that came twice.
    pub fn finish(self, known: &[&str]) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let names = |twice: bool| -> Vec<String> {
            let chosen = self.0.iter().filter(|(field, _)| known.contains(&field.as_ref()) == twice);
            chosen.map(|(field, _)| format!("{field:?}")).collect()
        };
        let (unknown, twice) = (names(false).join(", "), names(true).join(", "));
        let problem = if unknown.is_empty() {
            format!("has more than one field {twice}")
        } else {
            format!("has unknown fields: {unknown}; known are {}", known.join(", "))
        };
        Err(ApiError::MalformedBody(problem))
    }
}

impl<'a> Deserialize<'a> for Fields<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'a> Visitor<'a> for Collect {
            type Value = Fields<'a>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Fields<'a>, A::Error> {
                let mut fields = Vec::with_capacity(4);
                while let Some(field) = map.next_entry::<FieldName<'a>, &'a RawValue>()? {
                    fields.push((field.0.0, field.1));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// A name, borrowed where it has no escapes.
struct FieldName<'a>(Cow<'a, str>);

impl<'a> Deserialize<'a> for FieldName<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'a> Visitor<'a> for Name {
            type Value = FieldName<'a>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_borrowed_str<E>(self, name: &'a str) -> Result<FieldName<'a>, E> {
                Ok(FieldName(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<FieldName<'a>, E> {
                Ok(FieldName(Cow::Owned(name.into())))
            }
        }
        deserializer.deserialize_str(Name)
    }
}
