//! Files that are part of the program.

use std::io::Write;

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

/// A file, with the ETag by which a client learns whether it already has it: a digest, in quotes as HTTP wants it.
pub struct Embedded {
    media: &'static str,
    content: Bytes,
    tag: String,
    is_gzipped: bool,
    /// The same, compressed, for clients that say that they take it.
    smaller: Option<Bytes>,
}

impl Embedded {
    /// A file with its media type.
    pub fn new(media: &'static str, content: impl Into<Bytes>) -> Self {
        let content = content.into();
        let digits: String = Sha256::digest(&content)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { media, content, tag: format!("\"{digits}\""), is_gzipped: false, smaller: None }
    }

    /// The same, where the content is compressed. Every browser takes that.
    pub fn gzipped(self) -> Self {
        Self { is_gzipped: true, ..self }
    }

    /// The same, compressed once for all clients that take that. Others get the file as it is.
    pub fn and_gzipped(self) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Nothing fails that writes to memory; without a smaller form everybody gets the file as it is.
        let smaller = encoder.write_all(&self.content).and_then(|()| encoder.finish()).ok().map(Bytes::from);
        Self { smaller, ..self }
    }

    /// The file, or 304 for a client that has it. Clients may keep it but must ask each time whether it has changed,
    /// because the next release has another file.
    pub fn answer(&self, headers: &HeaderMap) -> Response {
        let given = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let tags = given.flat_map(|value| value.split(',')).map(str::trim);
        let known = tags.map(|tag| tag.strip_prefix("W/").unwrap_or(tag)).any(|tag| tag == "*" || tag == self.tag);
        let smaller = self.smaller.as_ref().filter(|_| takes_gzip(headers));
        let content = smaller.unwrap_or(&self.content);
        let mut response = match known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(header::CONTENT_TYPE, self.media)], content.clone()).into_response(),
        };
        let told = response.headers_mut();
        told.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // Digits and quotes always fit into a header.
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            told.insert(header::ETAG, tag);
        }
        if self.smaller.is_some() {
            told.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        if (self.is_gzipped || smaller.is_some()) && !known {
            told.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// Whether a client says that it takes gzip. The page is small, so weights other than "never" don't count.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let given = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let never = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !never
    })
}

/// Tells the browser what a page needs, so that it refuses everything else.
pub fn guarded(mut response: Response, policy: &str) -> Response {
    let told = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        told.insert(name, HeaderValue::from_static(value));
    }
    // Policies are ASCII.
    if let Ok(policy) = HeaderValue::from_str(policy) {
        told.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
