//! Makes a grant of another mode out of a grant: `lua/convert.lua`.

use std::{sync::Arc, time::Duration};

use gorilla_domain::{Extend, Extended, Failure, Lock, Metadata, Mode, Status, Tenure, Token};
use gorilla_scripts::{Convert, ConvertReply};
use uuid::Uuid;

use crate::store::{base::Store, durability::Effect, error::Error, protocol};

impl Store {
    /// Has the only holder of a lock share it from now on, or the only holder of a shared lock have it alone.
    pub(super) async fn convert(
        self: &Arc<Self>,
        asked: &Extend,
        mode: Mode,
        by: Option<&str>,
    ) -> Result<Extended, Failure> {
        let lock_key = self.keys.lock(&asked.resource);
        let id = Uuid::now_v7().to_string();
        let new_token = mode.share().map_or_else(Token::random, |_| Token::of_holder(&id));
        let (request, print) = protocol::record(asked.once.as_ref());
        let share = mode.share().map(protocol::share);
        let call = Convert {
            token: asked.token.expose(),
            id: &id,
            new_token: new_token.expose(),
            metadata: asked.metadata.as_ref().map(Metadata::as_str),
            lease: asked.lease.as_millis(),
            share: share.as_deref(),
            request,
            print,
            by,
        };
        let reply = self.run_convert(&lock_key, &call).await?;
        let lock = |owner, metadata, fence, created: i64, part: Option<_>| -> Result<Lock, Error> {
            let expires = created.saturating_add_unsigned(asked.lease.as_millis());
            let (id, ttl) = (id.clone(), asked.lease.as_millis());
            let tenure = gorilla_scripts::Tenure {
                id,
                owner,
                metadata,
                fence,
                created,
                updated: created,
                expires,
                ttl,
                by: None,
            };
            let (token, part) = (new_token.clone(), part.map(protocol::part));
            Ok(Lock { tenure: protocol::tenure(tenure)?, token, part, waited: None })
        };
        let extended = match reply {
            ConvertReply::Shares { fence, created, owner, metadata, turn, part } => {
                self.watch_turn(&lock_key, turn);
                Extended::Extended(lock(owner, metadata, fence, created, Some(part))?)
            }
            ConvertReply::Alone { fence, created, owner, metadata } => {
                Extended::Extended(lock(owner, metadata, fence, created, None)?)
            }
            ConvertReply::Replayed { token, ttl } => {
                match self.status(&asked.resource, &Token::from_stored(token)).await? {
                    Status::Own(Lock { tenure, token, part, waited }, _) => {
                        let tenure = Tenure { ttl: Duration::from_millis(ttl), ..tenure };
                        Extended::Replayed(Lock { tenure, token, part, waited })
                    }
                    Status::Other | Status::Free | Status::AfterBreak(..) => Extended::Gone,
                }
            }
            ConvertReply::Missing => Extended::Missing,
            ConvertReply::Mismatch(holder) => Extended::TokenMismatch(protocol::holder(holder)),
            ConvertReply::Crowd(holder, group) => Extended::Crowd(protocol::holder(holder), protocol::group(group)),
            ConvertReply::Limited { limit } => Extended::LimitMismatch { limit },
            ConvertReply::Breaking { ttl } => Extended::Breaking { ttl: Duration::from_millis(ttl) },
            ConvertReply::Shorter { ttl } => Extended::Shorter { ttl: Duration::from_millis(ttl) },
            ConvertReply::Recovering { left } => {
                let left = Duration::from_millis(left);
                if let Some(recovery) = &self.recovery {
                    recovery.note(left, false);
                }
                Extended::Recovering(left)
            }
            ConvertReply::Unsettled { left } => Extended::Unsettled(Duration::from_millis(left)),
            ConvertReply::Gone => Extended::Gone,
            ConvertReply::Reused => Extended::KeyReused,
        };
        if let Extended::Extended(lock) | Extended::Replayed(lock) = &extended {
            self.confirmed(&lock_key, Effect::Granted(lock)).await?;
        }
        Ok(extended)
    }
}
