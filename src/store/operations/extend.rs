//! Renews a lease: `lua/extend.lua`.

use std::{sync::Arc, time::Duration};

use gorilla_domain::{Extend, Extended, Failure, Lock, Metadata, Token};
use gorilla_scripts::{ExtendReply, Grant};

use crate::store::{base::Store, durability::Effect, error::Error, protocol};

impl Store {
    /// Renews a lease, and replaces its token and its metadata as far as the caller wants; or converts the lock, for the
    /// identity `by` if one is known.
    pub async fn extend(self: &Arc<Self>, asked: &Extend, by: Option<&str>) -> Result<Extended, Failure> {
        if let Some(mode) = asked.convert.filter(|mode| mode.share().is_some() != asked.token.of_shared().is_some()) {
            return self.convert(asked, mode, by).await;
        }
        let Extend { resource, token, lease, metadata, keeps_token, once, .. } = asked;
        let lock_key = self.keys.lock(resource);
        let new_token = if *keeps_token { token.clone() } else { Token::random() };
        let (request, print) = protocol::record(once.as_ref());
        let call = gorilla_scripts::Extend {
            token: token.expose(),
            new_token: new_token.expose(),
            lease: lease.as_millis(),
            metadata: metadata.as_ref().map(Metadata::as_str),
            request,
            print,
        };
        let lock = |grant: Grant| -> Result<Lock, Error> {
            Ok(Lock {
                token: Token::from_stored(grant.token),
                tenure: protocol::tenure(grant.tenure)?,
                part: grant.part.map(protocol::part),
                waited: None,
            })
        };
        let reply = match token.of_shared() {
            Some(holder) => self.extend_shared(&lock_key, holder, asked).await?,
            None => self.run(&lock_key, &call).await?,
        };
        let extended = match reply {
            ExtendReply::Extended(grant) => Extended::Extended(lock(grant)?),
            ExtendReply::Replayed(grant) => Extended::Replayed(lock(grant)?),
            ExtendReply::Missing => Extended::Missing,
            ExtendReply::Mismatch(holder) => Extended::TokenMismatch(protocol::holder(holder)),
            ExtendReply::Breaking { ttl } => Extended::Breaking { ttl: Duration::from_millis(ttl) },
            ExtendReply::Shorter { ttl } => Extended::Shorter { ttl: Duration::from_millis(ttl) },
            ExtendReply::Gone => Extended::Gone,
            ExtendReply::Reused => Extended::KeyReused,
        };
        if let Extended::Extended(lock) | Extended::Replayed(lock) = &extended {
            let effect = match keeps_token {
                false => Effect::Extended(&lock.token),
                true => Effect::Updated(&lock.token, lock.tenure.updated.timestamp_millis()),
            };
            self.confirmed(&lock_key, effect).await?;
        }
        Ok(extended)
    }
}
