//! What of a request its records have.

use super::mask::Secrets;

/// What of a request its records have, beside what it asks for and the name of the request. Texts are masked already.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What stands in place of the name of the request, if the name has a secret.
    pub masked_id: Option<String>,
    /// What proxies say where the request comes from.
    pub forwarded: Option<String>,
    /// The name of the trace that the request belongs to.
    pub trace_id: Option<String>,
    /// What its records must not have.
    pub secrets: Secrets,
}

impl Request {
    /// The same, of a request with this name that has more secrets.
    pub fn hiding<'a>(&self, request_id: &str, more: impl Iterator<Item = &'a str>) -> Self {
        let mut secrets = self.secrets.clone();
        more.for_each(|secret| secrets.add(secret));
        let masked = |text: &String| secrets.masked(text).into_owned();
        let id = self.masked_id.as_deref().unwrap_or(request_id);
        Self {
            masked_id: Some(secrets.masked(id)).filter(|masked| *masked != request_id).map(Into::into),
            forwarded: self.forwarded.as_ref().map(masked),
            trace_id: self.trace_id.as_ref().map(masked),
            secrets,
        }
    }
}
