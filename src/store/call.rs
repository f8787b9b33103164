//! Runs scripts for the store: packs calls, sends them, and reads replies.

use fred::types::config::Server;
use gorilla_scripts::{Call, Claim, Convert, Handover, Hold, Join, Renew, Request, TakeAll, Try, slot_of};

use super::{base::Store, error::Error, protocol::read};
use crate::settings::Record;

impl Store {
    /// Runs a script for the lock at a key. Counts among the commands in flight.
    pub(super) async fn run<C: Call>(&self, lock: &str, call: &C) -> Result<C::Reply, Error> {
        read::<C>(self.link.call(self.request(lock, None, call)).await?)
    }

    /// The same, whatever the bound on commands in flight, for what Gorilla must do under overload too.
    pub(super) async fn run_uncounted<C: Call>(&self, lock: &str, call: &C) -> Result<C::Reply, Error> {
        read::<C>(self.link.call_uncounted(self.request(lock, None, call)).await?)
    }

    /// Runs a script that concerns no lock, at a node of a cluster.
    pub(super) async fn run_at<C: Call>(&self, node: Option<&Server>, call: &C) -> Result<C::Reply, Error> {
        read::<C>(self.link.call_at(node, Request::new(&self.scripts, None, call)).await?)
    }

    /// Asks for a lock the first time.
    pub(super) async fn run_try(&self, lock: &str, call: &Try<'_>) -> Result<<Try<'_> as Call>::Reply, Error> {
        read::<Try>(self.link.call(self.request(lock, self.incarnation(lock), call)).await?)
    }

    /// Asks for a lock again. The bound on commands in flight let the waiter in before, and must not cost it its turn.
    pub(super) async fn run_claim(&self, lock: &str, call: &Claim<'_>) -> Result<<Claim<'_> as Call>::Reply, Error> {
        read::<Claim>(self.link.call_uncounted(self.request(lock, self.incarnation(lock), call)).await?)
    }

    /// Asks for a lock that is shared or is to be shared. Only the first call of an attempt counts among the commands in
    /// flight.
    pub(super) async fn run_join(&self, lock: &str, call: &Join<'_>) -> Result<<Join<'_> as Call>::Reply, Error> {
        let request = self.request(lock, self.incarnation(lock), call);
        read::<Join>(match call.again {
            false => self.link.call(request).await?,
            true => self.link.call_uncounted(request).await?,
        })
    }

    /// Releases a lock, and has a waiter of this replica claim it.
    pub(super) async fn run_handover(
        &self,
        lock: &str,
        call: &Handover<'_>,
    ) -> Result<<Handover<'_> as Call>::Reply, Error> {
        read::<Handover>(self.link.call(self.request(lock, self.incarnation(lock), call)).await?)
    }

    /// Asks for all locks of a set at once.
    pub(super) async fn run_take_all(
        &self,
        first: &str,
        others: &[String],
        call: &TakeAll<'_>,
    ) -> Result<<TakeAll<'_> as Call>::Reply, Error> {
        let request = self.request(first, self.incarnation(first), call);
        let request = others.iter().fold(request, |request, lock| request.and(Some(lock.clone())));
        read::<TakeAll>(self.link.call(request).await?)
    }

    /// Renews many locks at once.
    pub(super) async fn run_renew(
        &self,
        locks: Vec<String>,
        call: &Renew<'_>,
    ) -> Result<<Renew<'_> as Call>::Reply, Error> {
        let mut locks = locks.into_iter();
        let request = self.request(&locks.next().unwrap_or_default(), None, call);
        let request = locks.fold(request, |request, lock| request.and(Some(lock)));
        read::<Renew>(self.link.call(request).await?)
    }

    /// Renews or commits a part of a set. Nor may the bound cost a set its parts.
    pub(super) async fn run_hold(&self, lock: &str, call: &Hold<'_>) -> Result<<Hold<'_> as Call>::Reply, Error> {
        read::<Hold>(self.link.call_uncounted(self.request(lock, self.incarnation(lock), call)).await?)
    }

    /// Makes a grant of another mode out of a grant.
    pub(super) async fn run_convert(
        &self,
        lock: &str,
        call: &Convert<'_>,
    ) -> Result<<Convert<'_> as Call>::Reply, Error> {
        read::<Convert>(self.link.call(self.request(lock, self.incarnation(lock), call)).await?)
    }

    fn incarnation(&self, lock: &str) -> Option<String> {
        self.recovery.as_ref().map(|recovery| recovery.key(lock))
    }

    fn request<C: Call>(&self, lock: &str, other_key: Option<String>, call: &C) -> Request {
        let request = Request::new(&self.scripts, Some(lock.into()), call).and(other_key);
        if !self.clustered {
            return request;
        }
        // What records an event finds its stream at the end.
        let stream = (self.record != Record::Off).then(|| self.keys.events(Some(slot_of(lock))));
        request.with_siblings(call).and(stream)
    }
}
