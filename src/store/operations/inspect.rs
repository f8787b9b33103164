//! Reads the state of a lock: `lua/inspect.lua`, and `lua/shared_inspect.lua` if a group shares it.

use std::time::Duration;

use gorilla_domain::{Failure, Line, Lock, Member, ResourceName, State, Status, Token, Waiter};
use gorilla_scripts::{Inspect, InspectReply, Queue, QueueReply, SharedInspect, SharedInspectReply};

use crate::store::{base::Store, error::Error, link, protocol};

/// How often a lock may change its mode while it is looked at.
const MOST_CHANGES: usize = 5;

impl Store {
    /// Who holds a lock. If a group shares it, at most so many of its holders are told.
    pub async fn inspect(&self, resource: &ResourceName, most: u64) -> Result<State, Failure> {
        Ok(self.look_at(resource, most).await?)
    }

    /// The same; an error says why there is no outcome.
    pub(super) async fn look_at(&self, resource: &ResourceName, most: u64) -> Result<State, Error> {
        let lock = self.keys.lock(resource);
        for _ in 0..MOST_CHANGES {
            match self.run(&lock, &Inspect { token: None }).await? {
                InspectReply::Held { mut tenure, waiting, breaking, renewals, .. } => {
                    let by = tenure.by.take();
                    return Ok(State::Held { tenure: protocol::tenure(tenure)?, waiting, breaking, renewals, by });
                }
                InspectReply::Free { waiting } => return Ok(State::Free { waiting }),
                InspectReply::Shared => {}
            }
            match self.run(&lock, &SharedInspect { id: None, secret: None, most }).await? {
                SharedInspectReply::Group { waiting, group, holders } => {
                    let holder = |(mut tenure, permits, breaking): (gorilla_scripts::Tenure, _, _)| {
                        let by = tenure.by.take();
                        Ok(Member { tenure: protocol::tenure(tenure)?, permits, breaking, by })
                    };
                    let holders = holders.into_iter().map(holder).collect::<Result<_, Error>>()?;
                    return Ok(State::Shared { group: protocol::group(group), holders, waiting });
                }
                SharedInspectReply::Missing => {
                    return Ok(State::Free { waiting: self.run(&lock, &Queue { most: 0 }).await?.waiting });
                }
                SharedInspectReply::Alone | SharedInspectReply::Mismatch | SharedInspectReply::Own(..) => {}
            }
        }
        Err(link::Error::Overloaded.into())
    }

    /// The lock of the holder that has this token.
    pub async fn status(&self, resource: &ResourceName, token: &Token) -> Result<Status, Failure> {
        let lock_key = self.keys.lock(resource);
        let lock = |mut tenure: gorilla_scripts::Tenure, part| -> Result<Status, Error> {
            let by = tenure.by.take();
            let tenure = protocol::tenure(tenure)?;
            Ok(Status::Own(Lock { tenure, token: token.clone(), part, waited: None }, by))
        };
        let Some((id, secret)) = token.of_shared() else {
            return Ok(match self.run(&lock_key, &Inspect { token: Some(token.expose()) }).await? {
                InspectReply::Held { own: true, tenure, .. } => lock(tenure, None)?,
                InspectReply::Held { .. } | InspectReply::Shared => Status::Other,
                InspectReply::Free { .. } => Status::Free,
            });
        };
        let call = SharedInspect { id: Some(id), secret: Some(secret), most: 0 };
        Ok(match self.run(&lock_key, &call).await? {
            SharedInspectReply::Own(tenure, part) => lock(tenure, Some(protocol::part(part)))?,
            SharedInspectReply::Missing => Status::Free,
            SharedInspectReply::Mismatch | SharedInspectReply::Alone | SharedInspectReply::Group { .. } => {
                Status::Other
            }
        })
    }

    /// The requests that wait for a lock; at most so many are told.
    pub async fn queue(&self, resource: &ResourceName, most: u64) -> Result<Line, Failure> {
        let QueueReply { waiting, now, places } = self.run(&self.keys.lock(resource), &Queue { most }).await?;
        let waiter = |(place, waited): (gorilla_scripts::Place, u64)| -> Result<Waiter, Error> {
            Ok(Waiter {
                owner: place.owner,
                permits: place.permits,
                waited: Duration::from_millis(waited),
                since: protocol::time(now.saturating_sub_unsigned(waited))?,
                id: place.id,
                replica: place.channel.rsplit(':').next().unwrap_or_default().into(),
            })
        };
        Ok(Line { waiting, first: places.into_iter().map(waiter).collect::<Result<_, _>>()? })
    }
}
