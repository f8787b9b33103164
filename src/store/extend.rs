//! Extend: `lua/extend.lua`.

use gorilla_scripts::{ExtendReply, Grant};

use super::{Store, confirm::Effect, protocol, record};
use crate::lock::{Extended, Failure, Lease, Lock, Once, ResourceName, Token};

/// What an extend asks for.
#[derive(Debug)]
pub struct Extend {
    /// Which lock.
    pub resource: ResourceName,
    /// The right to it.
    pub token: Token,
    /// For how long from now.
    pub lease: Lease,
    /// Given where the request may come again.
    pub once: Option<Once>,
}

impl Store {
    /// Renews a lease and replaces its token.
    pub async fn extend(&self, asked: Extend) -> Result<Extended, Failure> {
        let Extend { resource, token, lease, once } = asked;
        let lock_key = self.keys.lock(&resource);
        let new_token = Token::random();
        let (request, print) = record(once.as_ref());
        let call = gorilla_scripts::Extend {
            token: token.expose(),
            new_token: new_token.expose(),
            lease: lease.as_millis(),
            request,
            print,
        };
        let lock = |grant: Grant| -> Result<Lock, Failure> {
            Ok(Lock { token: Token::from_stored(grant.token), tenure: protocol::tenure(grant.tenure)? })
        };
        let extended = match self.run(&lock_key, &call).await? {
            ExtendReply::Extended(grant) => Extended::Extended(lock(grant)?),
            ExtendReply::Replayed(grant) => Extended::Replayed(lock(grant)?),
            ExtendReply::Missing => Extended::Missing,
            ExtendReply::Mismatch(holder) => Extended::TokenMismatch(protocol::holder(holder)),
            ExtendReply::Shorter { ttl } => Extended::Shorter { ttl },
            ExtendReply::Gone => Extended::Gone,
            ExtendReply::Reused => Extended::KeyReused,
        };
        if let Extended::Extended(lock) | Extended::Replayed(lock) = &extended {
            self.confirmed(&lock_key, Effect::Extended(lock.token.expose())).await?;
        }
        Ok(extended)
    }
}
