//! Renews many locks at once, whose holders keep their tokens: `lua/renew.lua`.

use gorilla_domain::{Extend, Failure};
use gorilla_scripts::Renewed;

use crate::store::base::Store;

impl Store {
    /// Whether `renew_all` can do what an extend asks for, together with others. Not in a Cluster, whose nodes each have some of
    /// the locks, and not where replicas of Redis have to confirm each lock.
    pub fn renews(&self, asked: &Extend) -> bool {
        let Extend { token, metadata, keeps_token, convert, once, .. } = asked;
        let is_plain = *keeps_token && metadata.is_none() && convert.is_none() && once.is_none();
        is_plain
            && token.is_well_formed()
            && token.of_shared().is_none()
            && !self.clustered
            && self.replicas_wanted == 0
    }

    /// Renews the leases of some locks in one step, all for as long as the first of them asks. Tells which of them were left
    /// as they were, because more has to be decided there: their indices, for `extend`.
    pub async fn renew_all(&self, asked: &[&Extend]) -> Result<Vec<usize>, Failure> {
        let Some(first) = asked.first() else { return Ok(vec![]) };
        let call = gorilla_scripts::Renew {
            lease: first.lease.as_millis(),
            tokens: asked.iter().map(|asked| asked.token.expose()).collect(),
        };
        let locks = asked.iter().map(|asked| self.keys.lock(&asked.resource)).collect();
        let Renewed { left, .. } = self.run_renew(locks, &call).await?;
        Ok(left)
    }
}
