//! Renews a lease: `lua/extend.lua`.

use std::time::Duration;

use gorilla_domain::{Extend, Extended, Failure, Lock, Token};
use gorilla_scripts::{ExtendReply, Grant};

use crate::store::{base::Store, durability::Effect, error::Error, protocol};

impl Store {
    /// Renews a lease and replaces its token.
    pub async fn extend(&self, asked: &Extend) -> Result<Extended, Failure> {
        let Extend { resource, token, lease, once, .. } = asked;
        let lock_key = self.keys.lock(resource);
        let new_token = Token::random();
        let (request, print) = protocol::record(once.as_ref());
        let call = gorilla_scripts::Extend {
            token: token.expose(),
            new_token: new_token.expose(),
            lease: lease.as_millis(),
            request,
            print,
        };
        let lock = |grant: Grant| -> Result<Lock, Error> {
            Ok(Lock {
                token: Token::from_stored(grant.token),
                tenure: protocol::tenure(grant.tenure)?,
                part: None,
                waited: None,
            })
        };
        let extended = match self.run(&lock_key, &call).await? {
            ExtendReply::Extended(grant) => Extended::Extended(lock(grant)?),
            ExtendReply::Replayed(grant) => Extended::Replayed(lock(grant)?),
            ExtendReply::Missing => Extended::Missing,
            ExtendReply::Mismatch(holder) => Extended::TokenMismatch(protocol::holder(holder)),
            ExtendReply::Shorter { ttl } => Extended::Shorter { ttl: Duration::from_millis(ttl) },
            ExtendReply::Gone => Extended::Gone,
            ExtendReply::Reused => Extended::KeyReused,
        };
        if let Extended::Extended(lock) | Extended::Replayed(lock) = &extended {
            self.confirmed(&lock_key, Effect::Extended(lock.token.expose())).await?;
        }
        Ok(extended)
    }
}
