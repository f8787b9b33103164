//! The headers that matter to every request, found in one pass: to look each of them up takes a request 1 % more
//! instructions.

use axum::http::{HeaderMap, HeaderValue};

/// What a request has of these headers.
#[derive(Default)]
pub struct Head<'a> {
    /// `Accept`.
    pub accept: Values<'a>,
    /// `Host`.
    pub host: Values<'a>,
    /// `Origin`.
    pub origin: Values<'a>,
    /// `Sec-Fetch-Site`.
    pub site: Values<'a>,
    /// `X-Request-Id`.
    pub request_id: Values<'a>,
}

/// The values of a header in the order in which they came. Nearly every request has one at most.
#[derive(Default)]
pub struct Values<'a> {
    /// The first value, if there is one.
    pub first: Option<&'a HeaderValue>,
    /// The values behind it.
    pub others: Vec<&'a HeaderValue>,
}

impl<'a> Head<'a> {
    /// Finds them among all headers of a request.
    pub fn of(headers: &'a HeaderMap) -> Self {
        let mut head = Self::default();
        for (name, value) in headers {
            let values = match name.as_str() {
                "accept" => &mut head.accept,
                "host" => &mut head.host,
                "origin" => &mut head.origin,
                "sec-fetch-site" => &mut head.site,
                "x-request-id" => &mut head.request_id,
                _ => continue,
            };
            match values.first {
                None => values.first = Some(value),
                Some(_) => values.others.push(value),
            }
        }
        head
    }
}

impl<'a> Values<'a> {
    /// All values.
    pub fn iter(&self) -> impl Iterator<Item = &'a HeaderValue> {
        self.first.into_iter().chain(self.others.iter().copied())
    }
}
