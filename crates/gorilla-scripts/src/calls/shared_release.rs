//! The call of `lua/shared_release.lua`.

use std::sync::Arc;

use serde::Serialize;

use super::release::{Release, ReleaseReply};
use crate::{
    call::Call,
    reply::{Malformed, Reader},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `shared_release` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SharedRelease<'a> {
    /// The id of the holder, from its token.
    pub id: &'a str,
    /// The secret of the holder, from its token.
    pub secret: &'a str,
    /// To release later: a secret that nobody knows.
    pub new_secret: Option<&'a str>,
    /// To release later: after how many milliseconds the part of the holder ends.
    pub after: Option<u64>,
    /// The Idempotency-Key, if there is one.
    pub request: Option<&'a str>,
    /// The fingerprint of the request, only with an Idempotency-Key.
    pub print: Option<&'a str>,
}

impl Call for SharedRelease<'_> {
    type Reply = ReleaseReply;

    const NAME: &'static str = "shared_release";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.shared_release
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        let own = [Sibling::Queue, Sibling::Turn, Sibling::Holders];
        own.into_iter().chain(self.request.map(Sibling::Request)).chain([Sibling::Told]).collect()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<ReleaseReply, Malformed> {
        Release::reply(outcome, reader)
    }
}
