//! Files that are part of the program.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

/// A file, with the ETag by which a client learns whether it already has it: a digest, in quotes as HTTP wants it.
pub struct Embedded {
    media: &'static str,
    content: Bytes,
    tag: String,
    is_gzipped: bool,
}

impl Embedded {
    /// A file with its media type.
    pub fn new(media: &'static str, content: impl Into<Bytes>) -> Self {
        let content = content.into();
        let digits: String = Sha256::digest(&content)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { media, content, tag: format!("\"{digits}\""), is_gzipped: false }
    }

    /// The same, where the content is compressed. Every browser takes that.
    pub fn gzipped(self) -> Self {
        Self { is_gzipped: true, ..self }
    }

    /// The file, or 304 for a client that has it. Clients may keep it but must ask each time whether it has changed,
    /// because the next release has another file.
    pub fn answer(&self, headers: &HeaderMap) -> Response {
        let given = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let tags = given.flat_map(|value| value.split(',')).map(str::trim);
        let known = tags.map(|tag| tag.strip_prefix("W/").unwrap_or(tag)).any(|tag| tag == "*" || tag == self.tag);
        let mut response = match known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(header::CONTENT_TYPE, self.media)], self.content.clone()).into_response(),
        };
        let told = response.headers_mut();
        told.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // Digits and quotes always fit into a header.
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            told.insert(header::ETAG, tag);
        }
        if self.is_gzipped && !known {
            told.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}
