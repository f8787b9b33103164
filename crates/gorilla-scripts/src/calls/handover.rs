//! The call of `lua/handover.lua`.

use std::sync::Arc;

use serde::Serialize;

use super::{
    acquire::{AcquireReply, Claim},
    release::{Release, ReleaseReply},
};
use crate::{
    call::Call,
    reply::{Malformed, Reader},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `handover` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Handover<'a> {
    /// The release.
    pub release: Release<'a>,
    /// The claim of a waiter of the same replica.
    pub claim: Claim<'a>,
}

/// What `handover` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoverReply {
    /// What became of the release, with the turn of another waiter if one has the turn.
    pub released: ReleaseReply,
    /// What became of the claim, if the lock was released.
    pub claimed: Option<AcquireReply>,
}

impl Call for Handover<'_> {
    type Reply = HandoverReply;

    const NAME: &'static str = "handover";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.handover
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        let of_release = self.release.request.map(Sibling::Request);
        self.claim.touches().into_iter().chain(of_release).collect()
    }

    fn pack(&self, into: &mut Vec<u8>) {
        self.release.pack(into);
        self.claim.pack(into);
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<HandoverReply, Malformed> {
        let released = Release::reply(outcome, reader)?;
        let claimed = match released {
            ReleaseReply::Released { .. } => {
                let outcome = reader.text()?;
                Some(Claim::reply(&outcome, reader)?)
            }
            _ => None,
        };
        Ok(HandoverReply { released, claimed })
    }
}
