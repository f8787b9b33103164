//! Look at the locks that are waited for, and at who waits for whom.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use gorilla_domain::{Failure, Line, ResourceName, Scope, State, Verb};
use gorilla_wire::{Contended, Contention};

use super::{base::Service, caller::Caller, refusal::Refusal};
use crate::{
    fleet::{Held, Range, contended, tree},
    metrics,
    rfc3339::Rfc3339,
};

/// How many locks are looked at.
const MOST: usize = 200;
/// How many waiters of each are looked at.
const WAITERS: u64 = 50;
/// How many holders of each are looked at.
const HOLDERS: u64 = 100;
/// How many locks are looked at together.
const AT_ONCE: usize = 32;

/// A lock as replicas have told of it, and as it is now.
struct Seen {
    resource: ResourceName,
    told: metrics::Contended,
    longest: u64,
    state: State,
    line: Line,
}

impl Service {
    /// The locks that were waited for in a range that ends now, and who waits for whom now, as far as the caller may list
    /// and inspect the locks.
    pub async fn contention(&self, caller: &Caller, range: Range) -> Result<Arc<Contention>, Refusal> {
        let inspected = self.noted(caller, caller.scope(Verb::Inspect).map_err(Refusal::from))?;
        // Whoever may not list a lock must not learn its name here.
        let scope = match (&caller.identity, inspected) {
            (Some(identity), Some(inspected)) => Some(inspected.both(&identity.scope(Verb::List))),
            _ => None,
        };
        let question = (range, scope.clone());
        Ok(self.fleet.contention.or(question, self.look_for_contention(range, scope)).await?)
    }

    async fn look_for_contention(&self, range: Range, scope: Option<Scope>) -> Result<Arc<Contention>, Failure> {
        let (history, now) = self.fleet.history(&self.store).await?;
        let is_seen = |name: &str| scope.as_ref().is_none_or(|scope| scope.includes(name));
        let told = contended(&history, now - range.millis()).into_iter().filter(|(name, _)| is_seen(name));
        let named = told.filter_map(|(name, told)| Some((ResourceName::parse(name).ok()?, told)));
        let mut hottest: Vec<_> = named.collect();
        hottest.sort_by(|(one, (a, a_line)), (other, (b, b_line))| {
            (b.waited_ms, b_line).cmp(&(a.waited_ms, a_line)).then_with(|| one.as_str().cmp(other.as_str()))
        });
        let mut is_complete = hottest.len() <= MOST;
        hottest.truncate(MOST);
        let looks = hottest.into_iter().map(async |(resource, (told, longest))| {
            let seen = async {
                let state = self.store.inspect(&resource, HOLDERS).await?;
                Ok((state, self.store.queue(&resource, WAITERS).await?))
            };
            match seen.await {
                Ok((state, line)) => Ok(Some(Seen { resource, told, longest, state, line })),
                // A key that was changed by hand must not hide all other locks.
                Err(Failure::Broken(_)) => Ok(None),
                Err(failure) => Err(failure),
            }
        });
        let mut seen = Vec::new();
        let mut looks = stream::iter(looks).buffered(AT_ONCE);
        while let Some(look) = looks.next().await {
            seen.extend(look?);
        }
        drop(looks);
        seen.retain(|seen| seen.told.waits > 0 || seen.line.waiting > 0);
        seen.sort_by_key(|seen| std::cmp::Reverse(seen.cost()));
        is_complete &= seen.iter().all(|seen| seen.line.waiting <= WAITERS);
        let held: Vec<_> = seen.iter().map(Seen::held).collect();
        let (blocking, cycles, is_whole) = tree(&held);
        Ok(Arc::new(Contention {
            now: Rfc3339::from_millis(now).as_str().into(),
            range_seconds: range.seconds(),
            scope: scope.map(|scope| scope.parts().into_iter().map(String::from).collect()),
            resources: seen.iter().map(|seen| seen.row(range)).collect(),
            blocking,
            cycles,
            complete: is_complete && is_whole,
        }))
    }
}

impl Seen {
    /// How long was waited for it, with those that wait now, in milliseconds.
    fn cost(&self) -> u64 {
        let now: u64 = self.line.first.iter().map(|waiter| waiter.waited.as_millis() as u64).sum();
        self.told.waited_ms.saturating_add(now)
    }

    fn holders(&self) -> Vec<(&str, i64)> {
        let held = |tenure: &gorilla_domain::Tenure| tenure.expires.timestamp_millis();
        match &self.state {
            State::Held { tenure, .. } => vec![(tenure.owner.as_str(), held(tenure))],
            State::Shared { holders, .. } => {
                holders.iter().map(|(tenure, _)| (tenure.owner.as_str(), held(tenure))).collect()
            }
            State::Free { .. } => Vec::new(),
        }
    }

    fn held(&self) -> Held<'_> {
        let waiter = |waiter: &gorilla_domain::Waiter| waiter.waited.as_millis() as u64;
        let waiters = self.line.first.iter().map(|one| (one.owner.as_str(), waiter(one))).collect();
        Held { resource: self.resource.as_str(), holders: self.holders(), waiters }
    }

    fn row(&self, range: Range) -> Contended {
        let Self { resource, told, longest, state, line } = self;
        let holder_count = match state {
            State::Shared { group, .. } => group.holders,
            _ => self.holders().len() as u64,
        };
        let per_minute = told.granted as f64 * 60.0 / range.seconds() as f64;
        Contended {
            resource: resource.as_str().into(),
            owner: self.holders().first().map(|(owner, _)| (*owner).into()),
            holder_count,
            waiting: line.waiting,
            oldest_wait_ms: line.first.first().map(|first| first.waited.as_millis() as u64),
            waits: told.waits,
            waited_ms: told.waited_ms,
            wait_p99_ms: told.wait.percentile(99),
            handovers_per_minute: (per_minute * 100.0).round() / 100.0,
            hold_p50_ms: told.hold.percentile(50),
            hold_p99_ms: told.hold.percentile(99),
            longest_queue: *longest,
        }
    }
}
