//! What a holder of a shared lock does by its token: `lua/shared_release.lua`, `lua/shared_extend.lua`.

use gorilla_domain::{Extend, Release};
use gorilla_scripts::{ExtendReply, ReleaseReply, SharedExtend, SharedRelease};
use uuid::Uuid;

use crate::store::{base::Store, error::Error, protocol};

impl Store {
    /// Takes the holder with this id and secret out of the group that shares a lock, at once or after a time.
    pub(super) async fn release_shared(
        &self,
        lock: &str,
        (id, secret): (&str, &str),
        asked: &Release,
    ) -> Result<ReleaseReply, Error> {
        let (request, print) = protocol::record(asked.once.as_ref());
        let after = Some(asked.after.as_millis() as u64).filter(|after| *after > 0);
        let new_secret = after.map(|_| Uuid::new_v4().to_string());
        let new_secret = new_secret.as_deref();
        self.run(lock, &SharedRelease { id, secret, new_secret, after, request, print }).await
    }

    /// Renews the lease of the holder with this id and secret.
    pub(super) async fn extend_shared(
        &self,
        lock: &str,
        (id, secret): (&str, &str),
        asked: &Extend,
    ) -> Result<ExtendReply, Error> {
        let (request, print) = protocol::record(asked.once.as_ref());
        let new_secret = (!asked.keeps_token).then(|| Uuid::new_v4().to_string());
        let metadata = asked.metadata.as_ref().map(|metadata| metadata.as_str());
        let (new_secret, lease) = (new_secret.as_deref(), asked.lease.as_millis());
        self.run(lock, &SharedExtend { id, secret, new_secret, metadata, lease, request, print }).await
    }
}
