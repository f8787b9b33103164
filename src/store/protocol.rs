//! Runs scripts for the store: packs calls, sends them, and reads replies.

use fred::types::{Resp3Frame, config::Server};
use gorilla_scripts::{Call, Claim, Malformed, Reader, Request, Try};

use super::Store;
use crate::lock::{Failure, Holder, Metadata, Tenure};

/// How a failure ends that comes from what stands in a key.
const BY_HAND: &str = "was its key changed by hand?";

impl Store {
    /// Runs a script for the lock at a key. Counts among the commands in flight.
    pub(super) async fn run<C: Call>(&self, lock: &str, call: &C) -> Result<C::Reply, Failure> {
        read::<C>(self.link.call(self.request(lock, None, call)).await?)
    }

    /// The same beside the bound on commands in flight, for what must be done under overload too.
    pub(super) async fn run_uncounted<C: Call>(&self, lock: &str, call: &C) -> Result<C::Reply, Failure> {
        read::<C>(self.link.call_uncounted(self.request(lock, None, call)).await?)
    }

    /// Runs a script that is about no lock, at a node of a cluster.
    pub(super) async fn run_at<C: Call>(&self, node: Option<&Server>, call: &C) -> Result<C::Reply, Failure> {
        read::<C>(self.link.call_at(node, Request::new(&self.scripts, None, call)).await?)
    }

    /// Asks for a lock the first time.
    pub(super) async fn run_try(&self, lock: &str, call: &Try<'_>) -> Result<<Try<'_> as Call>::Reply, Failure> {
        read::<Try>(self.link.call(self.request(lock, self.incarnation(lock), call)).await?)
    }

    /// Asks for a lock again. Those who wait were let in before: a bound on commands in flight must not cost them their turn.
    pub(super) async fn run_claim(&self, lock: &str, call: &Claim<'_>) -> Result<<Claim<'_> as Call>::Reply, Failure> {
        read::<Claim>(self.link.call_uncounted(self.request(lock, self.incarnation(lock), call)).await?)
    }

    fn incarnation(&self, lock: &str) -> Option<String> {
        self.recovery.as_ref().map(|recovery| recovery.key(lock))
    }

    fn request<C: Call>(&self, lock: &str, other_key: Option<String>, call: &C) -> Request {
        let request = Request::new(&self.scripts, Some(lock.into()), call).and(other_key);
        if self.clustered { request.with_siblings(call) } else { request }
    }
}

/// Reads the reply to a call.
pub fn read<C: Call>(reply: Resp3Frame) -> Result<C::Reply, Failure> {
    let opened = Reader::open(reply).and_then(|(outcome, mut reader)| C::reply(&outcome, &mut reader));
    opened.map_err(malformed)
}

/// Whether a failure comes from what stands in the keys of one resource, and so tells nothing of the others.
pub fn is_of_its_keys(failure: &Failure) -> bool {
    matches!(failure, Failure::Broken(cause) if cause.ends_with(BY_HAND) || cause.contains("WRONGTYPE"))
}

/// A holder as the domain has it.
pub fn holder(gorilla_scripts::Holder { owner, fence, ttl }: gorilla_scripts::Holder) -> Holder {
    Holder { owner, fence, ttl }
}

/// A tenure as the domain has it, unless its metadata are no JSON.
pub fn tenure(tenure: gorilla_scripts::Tenure) -> Result<Tenure, Failure> {
    let gorilla_scripts::Tenure { id, owner, metadata, fence, created, updated, expires, ttl } = tenure;
    let metadata = Metadata::from_stored(metadata);
    let metadata = metadata.ok_or_else(|| malformed(Malformed("a lock has metadata that are no JSON".into())))?;
    Ok(Tenure { id, owner, metadata, fence, created, updated, expires, ttl })
}

fn malformed(Malformed(what): Malformed) -> Failure {
    Failure::Broken(format!("{what}; {BY_HAND}"))
}
