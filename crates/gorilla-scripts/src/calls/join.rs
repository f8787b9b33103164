//! The call of `lua/join.lua`.

use std::sync::Arc;

use serde::Serialize;

use super::acquire::{Acquire, AcquireReply};
use crate::{
    call::{Call, pack_fields},
    reply::{Malformed, Reader},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `join` is called with: every call of a request that wants to share the lock, and the calls of other requests that
/// have met a group.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Join<'a> {
    /// As in `try`.
    pub asked: Acquire<'a>,
    /// The share of a request that wants to share the lock: `*<permits>/<limit>`, without a limit if it named none.
    pub share: Option<&'a str>,
    /// Whether this is a later call of the attempt.
    pub again: bool,
    /// When the attempt joined the queue, in microseconds since 1970, if that is known.
    pub arrived: Option<u64>,
}

impl Call for Join<'_> {
    type Reply = AcquireReply;

    const NAME: &'static str = "join";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.join
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        let of_group = [Sibling::Holders, Sibling::Limit, Sibling::Told];
        of_group.into_iter().chain(AcquireReply::touches(&self.asked)).collect()
    }

    fn pack(&self, into: &mut Vec<u8>) {
        pack_fields(&self.asked, into);
        pack_fields(&(self.share, self.again, self.arrived), into);
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<AcquireReply, Malformed> {
        AcquireReply::read(outcome, reader)
    }
}
