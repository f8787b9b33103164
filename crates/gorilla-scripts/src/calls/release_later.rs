//! The call of `lua/release_later.lua`.

use std::sync::Arc;

use serde::Serialize;

use super::release::{Release, ReleaseReply};
use crate::{
    call::Call,
    reply::{Malformed, Reader},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `release_later` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ReleaseLater<'a> {
    /// The current token.
    pub token: &'a str,
    /// The token that replaces it, which nobody may know.
    pub new_token: &'a str,
    /// After how many milliseconds the lock ends.
    pub after: u64,
    /// The Idempotency-Key, if there is one.
    pub request: Option<&'a str>,
    /// The fingerprint of the request, only with an Idempotency-Key.
    pub print: Option<&'a str>,
}

impl Call for ReleaseLater<'_> {
    /// As of a release. In place of a turn it says after how many milliseconds a replica must look after the next waiter,
    /// if there is one.
    type Reply = ReleaseReply;

    const NAME: &'static str = "release_later";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.release_later
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        [Sibling::Queue].into_iter().chain(self.request.map(Sibling::Request)).collect()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<ReleaseReply, Malformed> {
        Release::reply(outcome, reader)
    }
}
