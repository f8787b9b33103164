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

impl Request {
    /// The same, of a request that has more secrets.
    pub fn hiding<'a>(&self, more: impl Iterator<Item = &'a str>) -> Self {
        let mut secrets = self.secrets.clone();
        more.for_each(|secret| secrets.add(secret));
        let masked = |text: &String| secrets.masked(text).into_owned();
        Self {
            request_id: masked(&self.request_id),
            forwarded: self.forwarded.as_ref().map(masked),
            trace_id: self.trace_id.as_ref().map(masked),
            secrets,
        }
    }
}
