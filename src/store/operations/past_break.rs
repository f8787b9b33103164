//! Tells a holder that was refused who broke its lock: `lua/past_break.lua`.

use gorilla_domain::{PastBreak, ResourceName, Token};
use gorilla_scripts::PastBreakReply;
use tracing::debug;

use crate::store::{base::Store, error::Error, protocol};

impl Store {
    /// The break that ended the grant of a token, if one did lately. Nothing also if Redis does not tell: the holder is
    /// refused anyway.
    pub async fn past_break(&self, resource: &ResourceName, token: &Token) -> Option<PastBreak> {
        if !token.is_well_formed() {
            return None;
        }
        let told = self.look_for_break(resource, token).await;
        told.inspect_err(|error| debug!(?error, "Redis did not say whether a lock was broken")).ok()?
    }

    async fn look_for_break(&self, resource: &ResourceName, token: &Token) -> Result<Option<PastBreak>, Error> {
        let call = gorilla_scripts::PastBreak { token: token.expose() };
        Ok(match self.run(&self.keys.lock(resource), &call).await? {
            PastBreakReply::Broken { at, by, reason } => Some(PastBreak { at: protocol::time(at)?, by, reason }),
            PastBreakReply::Unknown => None,
        })
    }
}
