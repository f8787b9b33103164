//! Takes all parts of a set in one step, where one server has all of them: `lua/take_all.lua`.

use std::{iter::zip, sync::Arc, time::Duration};

use gorilla_domain::{AcquireSet, Failure, Lock, Mode, Tenure};
use gorilla_scripts::{Held, TakeAll, TakeAllReply};

use super::{
    ask::Progress,
    set_parts::{Parts, Stopped},
};
use crate::store::{base::Store, doubt::Attempt, protocol};

impl Store {
    /// Takes all parts for their whole lease, or none. `None` if they have to be taken one after another: because they are
    /// at several servers, or have several holders, or count against a quota, or something is in the way of one of them and the set waits.
    pub(super) async fn take_at_once(
        self: &Arc<Self>,
        asked: &AcquireSet,
        parts: &mut Parts,
    ) -> Result<Option<Vec<Held>>, Stopped> {
        let Some(part) = asked.parts().first().filter(|_| !self.clustered) else { return Ok(None) };
        if asked.parts().iter().any(|part| {
            part.mode != Mode::Exclusive || part.taker.as_ref().is_some_and(|taker| taker.max_held.is_some())
        }) {
            return Ok(None);
        }
        parts.attempts = asked.ascending().map(|part| self.begin(part)).collect();
        let (request, print) = protocol::record(part.once.as_ref());
        let call = TakeAll {
            ids: parts.attempts.iter().map(|attempt| attempt.bid.id.as_str()).collect(),
            tokens: parts.attempts.iter().map(|attempt| attempt.bid.token.expose()).collect(),
            owner: part.owner.as_str(),
            metadata: part.metadata.as_str(),
            lease: asked.lease().as_millis(),
            request,
            print,
            channel: &self.channel,
            by: part.taker.as_ref().map(|taker| taker.identity.as_str()),
        };
        let mut locks = parts.attempts.iter().map(|attempt| attempt.lock.clone());
        let (first, others) = (locks.next().unwrap_or_default(), locks.collect::<Vec<_>>());
        let blocked = match self.run_take_all(&first, &others, &call).await.map_err(Failure::from) {
            Ok(TakeAllReply::Granted { created, fences }) if fences.len() == parts.attempts.len() => {
                let held = held(created, asked);
                let lock = |(attempt, fence)| lock(attempt, fence, created, held);
                let locks: Result<_, Failure> = zip(&parts.attempts, fences).map(lock).collect();
                parts.locks = locks.map_err(Stopped::Failed)?;
                return Ok(Some(vec![held; parts.locks.len()]));
            }
            Ok(TakeAllReply::Granted { .. }) => {
                return Err(Stopped::Failed(Failure::Broken("a script granted another number of locks".into())));
            }
            Ok(TakeAllReply::Blocked { part, reply }) => Some((part, reply)),
            Ok(TakeAllReply::Unsure) => None,
            Err(failure) => {
                let answer = Err(failure.clone());
                parts.attempts.iter().for_each(|attempt| attempt.answered(&answer));
                return Err(Stopped::Failed(failure));
            }
        };
        // Nothing was granted, and no call is on its way.
        parts.attempts.iter().for_each(Attempt::over);
        let attempts = std::mem::take(&mut parts.attempts);
        match blocked.filter(|_| part.wait.is_zero()) {
            None => Ok(None),
            Some((at, reply)) => {
                let of_no_part = || Stopped::Failed(Failure::Broken("a script named a part that there isn't".into()));
                let attempt = attempts.get(at).ok_or_else(of_no_part)?;
                Err(match self.progress(&attempt.bid, reply).map_err(Stopped::Failed)? {
                    Progress::Done(refusal) => Stopped::Refused(attempt.bid.asked.resource.clone(), refusal),
                    Progress::Queued { .. } | Progress::Superseded => of_no_part(),
                })
            }
        }
    }
}

fn held(created: i64, asked: &AcquireSet) -> Held {
    let ttl = asked.lease().as_millis();
    Held { ends: created.saturating_add_unsigned(ttl), ttl, updated: created }
}

fn lock(attempt: &Attempt, fence: u64, created: i64, held: Held) -> Result<Lock, Failure> {
    let time = |at| protocol::time(at).map_err(|malformed| Failure::Broken(malformed.0));
    let asked = &attempt.bid.asked;
    let tenure = Tenure {
        id: attempt.bid.id.clone(),
        owner: asked.owner.as_str().into(),
        metadata: asked.metadata.clone(),
        fence,
        created: time(created)?,
        updated: time(created)?,
        expires: time(held.ends)?,
        ttl: Duration::from_millis(held.ttl),
    };
    Ok(Lock { tenure, token: attempt.bid.token.clone(), part: None, waited: None })
}
