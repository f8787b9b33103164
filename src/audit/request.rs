//! What of a request its records have.

use super::mask::Secrets;

/// What of a request its records have, beside what it asks for. Texts are masked already.
#[derive(Clone, Debug)]
pub struct Request {
    /// The name of the request.
    pub request_id: String,
    /// What proxies say where the request comes from.
    pub forwarded: Option<String>,
    /// The name of the trace that the request belongs to.
    pub trace_id: Option<String>,
    /// What its records must not have.
    pub secrets: Secrets,
}
