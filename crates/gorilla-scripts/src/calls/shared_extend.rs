//! The call of `lua/shared_extend.lua`.

use std::sync::Arc;

use serde::Serialize;

use super::extend::ExtendReply;
use crate::{
    call::Call,
    grant::Grant,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `shared_extend` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SharedExtend<'a> {
    /// The id of the holder, from its token.
    pub id: &'a str,
    /// The secret of the holder, from its token.
    pub secret: &'a str,
    /// The secret that replaces it, if the token does not stay.
    pub new_secret: Option<&'a str>,
    /// Metadata that replace those of the holder, if any.
    pub metadata: Option<&'a str>,
    /// In milliseconds.
    pub lease: u64,
    /// The Idempotency-Key, if there is one.
    pub request: Option<&'a str>,
    /// The fingerprint of the request, only with an Idempotency-Key.
    pub print: Option<&'a str>,
}

impl Call for SharedExtend<'_> {
    type Reply = ExtendReply;

    const NAME: &'static str = "shared_extend";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.shared_extend
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        let own = [Sibling::Fence, Sibling::Holders];
        own.into_iter().chain(self.request.map(Sibling::Request)).chain([Sibling::Told]).collect()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<ExtendReply, Malformed> {
        let grant = |reader: &mut Reader| {
            let (token, tenure) = (reader.text()?, reader.tenure()?);
            Ok(Grant { token, tenure, part: Some(reader.part()?) })
        };
        Ok(match outcome {
            "extended" => ExtendReply::Extended(grant(reader)?),
            "replayed" => ExtendReply::Replayed(grant(reader)?),
            "missing" => ExtendReply::Missing,
            "mismatch" => ExtendReply::Mismatch(reader.holder()?),
            "breaking" => ExtendReply::Breaking { ttl: reader.number()? },
            "shorter" => ExtendReply::Shorter { ttl: reader.number()? },
            "gone" => ExtendReply::Gone,
            "reused" => ExtendReply::Reused,
            other => return unexpected(other),
        })
    }
}
