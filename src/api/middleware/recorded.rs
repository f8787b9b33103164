//! What of a request its records in the audit file have, and what they must not have.

use axum::{extract::Request, http::HeaderValue};

use crate::{
    api::target::decoded,
    audit::{self, Secrets},
};

/// In bytes. docs/reference/audit.md says it.
const LONGEST: usize = 256;

/// What the records of a request have beside its name, if there is anything. Reads the headers once: to look each of them
/// up would cost more.
pub fn of(request: &Request, request_id: &str) -> Option<audit::Request> {
    let (mut secrets, mut forwarded, mut trace, mut is_named) = (Secrets::default(), None::<String>, None, false);
    for (name, value) in request.headers() {
        let text = || str::from_utf8(value.as_bytes()).ok();
        match name.as_str() {
            "authorization" => {
                let key = text().map(|text| text.split_once(' ').map_or(text, |(_, key)| key));
                secrets.add(key.unwrap_or_default().trim());
            }
            "lock-token" | "idempotency-key" => secrets.add(text().unwrap_or_default()),
            "x-request-id" => is_named = true,
            "x-forwarded-for" => {
                let address = String::from_utf8_lossy(value.as_bytes());
                forwarded = Some(forwarded.map_or_else(|| address.to_string(), |before| before + ", " + &address));
            }
            "traceparent" => trace = trace.or(Some(value)),
            _ => {}
        }
    }
    add_token(request.uri().path(), &mut secrets);
    let masked = |text: &str| secrets.masked(text).into_owned();
    let recorded = audit::Request {
        // A name that Gorilla gave the request has no secret.
        masked_id: is_named.then(|| masked(request_id)).filter(|masked| masked != request_id),
        forwarded: forwarded.as_deref().map(masked).map(shortened),
        trace_id: trace.and_then(trace_id).map(masked),
        secrets,
    };
    let has_something = !recorded.secrets.is_empty() || recorded.forwarded.is_some() || recorded.trace_id.is_some();
    // A name can have an API key although the request has no secret.
    (has_something || recorded.masked_id.is_some()).then_some(recorded)
}

/// Adds the token of `/api/v1/locks/{resource}/{token}`.
fn add_token(path: &str, secrets: &mut Secrets) {
    // A word of a path is no token.
    let token = path.split('/').nth(5).filter(|word| !["break", "events", "queue"].contains(word));
    if let Some(token) = token {
        secrets.add(&decoded(token).unwrap_or_default());
    }
}

fn shortened(mut text: String) -> String {
    let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    text
}

/// The trace of a `traceparent` as W3C has it.
fn trace_id(value: &HeaderValue) -> Option<&str> {
    let mut parts = value.to_str().ok()?.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let is_one = is_hex(version, 2) && version != "ff" && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    (is_one && trace.bytes().any(|digit| digit != b'0')).then_some(trace)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn recorded(path: &str, headers: &[(&str, &str)]) -> audit::Request {
        let builder =
            headers.iter().fold(Request::builder().uri(path), |builder, (name, value)| builder.header(*name, *value));
        of(&builder.body(Body::empty()).expect("a request"), "request-7").unwrap_or_default()
    }

    #[test]
    fn a_trace_is_read_as_w3c_has_it_and_nothing_else_is_one() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let of = |text: &str| recorded("/", &[("traceparent", text)]).trace_id;
        assert_eq!(of(&format!("00-{trace}-00f067aa0ba902b7-01")).as_deref(), Some(trace));
        for wrong in [
            trace.to_string(),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()),
            format!("00-{trace}-00f067aa0ba902b7"),
        ] {
            assert_eq!(of(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn forwarded_addresses_are_joined_and_cut() {
        let of = |values: &[&str]| {
            let headers: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
            recorded("/", &headers).forwarded
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["1.2.3.4", "5.6.7.8, 9.9.9.9"]).as_deref(), Some("1.2.3.4, 5.6.7.8, 9.9.9.9"));
        assert_eq!(of(&[&"x".repeat(1000)]).map(|text| text.len()), Some(LONGEST));
    }

    #[test]
    fn secrets_of_the_request_are_hidden_in_what_the_client_chose() {
        let token = "997f2fe4-d0cb-4d03-b066-beeea3b31eec";
        for (path, headers) in [
            (format!("/api/v1/locks/a/{token}"), vec![]),
            (format!("/api/v1/locks/a/{}", token.replace('-', "%2D")), vec![]),
            ("/".into(), vec![("lock-token", token)]),
            ("/".into(), vec![("authorization", token)]),
            ("/".into(), vec![("authorization", "Bearer  997f2fe4-d0cb-4d03-b066-beeea3b31eec")]),
            ("/".into(), vec![("idempotency-key", token)]),
        ] {
            let forwarded = format!("10.0.0.1, {token}");
            let headers = [headers, vec![("x-forwarded-for", &forwarded)]].concat();
            assert_eq!(recorded(&path, &headers).forwarded.as_deref(), Some("10.0.0.1, ***"), "{path} {headers:?}");
        }
        assert_eq!(
            recorded("/api/v1/locks/a/break", &[("x-forwarded-for", "break")]).forwarded.as_deref(),
            Some("break")
        );
    }
}
