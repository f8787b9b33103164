//! Reads the body of a request: a JSON object with known fields.

use std::{borrow::Cow, fmt, pin::pin};

use axum::{
    BoxError,
    body::{Body as Stream, HttpBody},
    http::{HeaderMap, HeaderValue, header},
};
use bytes::Bytes;
use futures_util::FutureExt;
use gorilla_wire::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapDeserializer},
};
use serde_json::value::RawValue;

use super::{app::App, error::ApiError};

/// The longest body of a request about one lock, in bytes.
pub const LONGEST: usize = 16 * 1024;

/// Reads the whole body, within the limits of length and time. The headers of a body that is not empty must say that it
/// is JSON.
pub async fn read(app: &App, headers: &HeaderMap, body: Stream, longest: usize) -> Result<Bytes, ApiError> {
    refuse_encoding(headers)?;
    let body = read_bytes(app, body, longest).await?;
    refuse_other_types(headers, &body)?;
    Ok(body)
}

async fn read_bytes(app: &App, body: Stream, longest: usize) -> Result<Bytes, ApiError> {
    // What the header says, if the head has one.
    if body.size_hint().lower() > longest as u64 {
        return Err(ApiError::BodyTooLarge { longest });
    }
    let limit = app.body_timeout();
    let mut whole = pin!(whole(Limited::new(body, longest)));
    // Nearly every body comes with its head, and then needs neither a timer nor room for one.
    let body = match whole.as_mut().now_or_never() {
        Some(body) => Ok(body),
        None => Box::pin(tokio::time::timeout(limit, whole)).await,
    };
    match body {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::BodyTooLarge { longest }),
        Ok(Err(_)) => Err(ApiError::MalformedBody("ended before it was complete".into())),
        Err(_) => Err(ApiError::BodyTimeout(limit)),
    }
}

/// All pieces of a body as one. Nearly every body is one piece, which is not copied.
async fn whole(mut body: Limited<Stream>) -> Result<Bytes, BoxError> {
    let Some(first) = body.frame().await else { return Ok(Bytes::new()) };
    // What is not data is a trailer, which says nothing to Gorilla.
    let first = first?.into_data().unwrap_or_default();
    if body.is_end_stream() {
        return Ok(first);
    }
    let rest = Box::pin(body.collect()).await?.to_bytes();
    Ok(if rest.is_empty() { first } else { [first, rest].concat().into() })
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
    // Most bodies have this type, which then need not be taken apart.
    if given == "application/json" {
        return Ok(());
    }
    let given = String::from_utf8_lossy(given.as_bytes());
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json { Ok(()) } else { Err(ApiError::UnsupportedMediaType(Some(given.into()))) }
}

/// Takes a body apart into its fields, each as the JSON that was sent.
pub fn parse<'a, B: Body + Deserialize<'a>>(body: &'a [u8]) -> Result<B, ApiError> {
    let malformed = |problem: &str| ApiError::MalformedBody(problem.into());
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(malformed("is empty; it must be a JSON object such as {\"owner\":\"me\",\"timeout\":30}")),
        Some(b'{') => {}
        Some(_) => return Err(malformed("must be a JSON object, which begins with \"{\"")),
    }
    // Of a text serde_json need not look at each part again whether it is UTF-8.
    let parsed = match str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(body),
    };
    parsed.map_err(|error| ApiError::MalformedBody(explain(body, B::FIELDS, error)))
}

/// What is wrong with a body that serde refuses. serde stops at the first field that is wrong; this names all of them.
fn explain(body: &[u8], known: &[&str], error: serde_json::Error) -> String {
    match serde_json::from_slice::<Fields>(body) {
        Ok(fields) => fields.misnamed(known).unwrap_or_else(|| format!("is not valid JSON: {error}")),
        Err(error) => format!("is not valid JSON: {error}"),
    }
}

/// The fields of a JSON object as they were sent. A field that comes twice is here twice.
pub struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// A field, if it is there.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| *value)
    }

    /// What is wrong with the names of the fields, if something is: some are not known, or come twice.
    pub fn misnamed(&self, known: &[&str]) -> Option<String> {
        let comes_again = |at: usize| self.0[..at].iter().any(|(name, _)| *name == self.0[at].0);
        if (0..self.0.len()).all(|at| known.contains(&self.0[at].0.as_ref()) && !comes_again(at)) {
            return None;
        }
        let quoted = |names: Vec<&str>| names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        let names = || self.0.iter().map(|(name, _)| name.as_ref());
        let unknown: Vec<_> = names().filter(|name| !known.contains(name)).collect();
        let twice: Vec<_> =
            known.iter().copied().filter(|field| names().filter(|name| name == field).count() > 1).collect();
        if !unknown.is_empty() {
            Some(format!("has unknown fields: {}; known are {}", quoted(unknown), known.join(", ")))
        } else if !twice.is_empty() {
            Some(format!("has more than one field {}", quoted(twice)))
        } else {
            None
        }
    }

    /// The fields that a body has, without all others. An error is what serde says.
    pub fn as_body<B: Body + Deserialize<'a>>(&self) -> Result<B, serde_json::Error> {
        let fields = self.0.iter().filter(|(name, _)| B::FIELDS.contains(&name.as_ref()));
        B::deserialize(MapDeserializer::new(fields.map(|(name, value)| (name.as_ref(), *value))))
    }
}

impl<'a> Deserialize<'a> for Fields<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        struct Collect;
        impl<'a> Visitor<'a> for Collect {
            type Value = Fields<'a>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Fields<'a>, A::Error> {
                let mut fields = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
