//! Several locks, all or none.

use std::{sync::Arc, time::Duration};

use crate::{Acquire, Acquired, BrokenRule, Lease, Lock, ResourceName};

/// Take several locks, all or none, or wait for them.
#[derive(Clone, Debug)]
pub struct AcquireSet {
    parts: Vec<Arc<Acquire>>,
    /// The parts as indexes, in the order in which all sets take them.
    ascending: Vec<usize>,
    lease: Lease,
}

impl AcquireSet {
    /// The largest number of locks.
    pub const MOST: usize = 64;

    /// A set of parts, in the order in which the client named them. They differ only in resource and mode, and `lease` of each
    /// is the lease that all get. Until the set has all its parts, each is held for [`Lease::HOLD`] and renewed.
    pub fn new(mut parts: Vec<Acquire>) -> Result<Self, BrokenRule> {
        let Some(Acquire { lease, .. }) = parts.first() else { return Err(Self::rule().into()) };
        if parts.len() > Self::MOST {
            return Err(format!("has {} resources; it {}", parts.len(), Self::rule()).into());
        }
        let lease = *lease;
        parts.iter_mut().for_each(|part| part.lease = Lease::HOLD);
        let name = |at: &usize| parts[*at].resource.as_str().as_bytes();
        let mut ascending: Vec<_> = (0..parts.len()).collect();
        ascending.sort_unstable_by_key(name);
        if let Some(twice) = ascending.windows(2).find(|pair| name(&pair[0]) == name(&pair[1])) {
            return Err(format!("names {:?} more than once", parts[twice[0]].resource.as_str()).into());
        }
        Ok(Self { parts: parts.into_iter().map(Arc::new).collect(), ascending, lease })
    }

    fn rule() -> String {
        format!("must be a list of 1 to {} resources", Self::MOST)
    }

    /// The parts in the order in which all sets take them: that of the bytes of their names. So sets never wait for each
    /// other in a circle.
    pub fn ascending(&self) -> impl Iterator<Item = &Arc<Acquire>> {
        self.ascending.iter().map(|&at| &self.parts[at])
    }

    /// Puts what belongs to the parts in ascending order into the order in which the client named them.
    pub fn in_request_order<T>(&self, ascending: Vec<T>) -> Vec<T> {
        let mut both: Vec<_> = self.ascending.iter().zip(ascending).collect();
        both.sort_unstable_by_key(|(at, _)| **at);
        both.into_iter().map(|(_, what)| what).collect()
    }

    /// The parts in the order in which the client named them.
    pub fn parts(&self) -> &[Arc<Acquire>] {
        &self.parts
    }

    /// The lease that all parts get.
    pub fn lease(&self) -> Lease {
        self.lease
    }

    /// How long to wait for all of them together.
    pub fn wait(&self) -> Duration {
        self.parts.first().map_or(Duration::ZERO, |part| part.wait)
    }
}

/// Several locks of one holder.
#[derive(Clone, Debug)]
pub struct LockSet {
    /// In the order in which the client named them.
    pub locks: Vec<Lock>,
    /// How long all of them were held at least, from the end of `waited`.
    pub ttl: Duration,
    /// The time from when the replica took the request in until the leases began.
    pub waited: Duration,
}

/// How an acquire of several locks ended.
#[derive(Clone, Debug)]
pub enum SetAcquired {
    /// The caller holds all of them.
    Granted(LockSet),
    /// The same Idempotency-Key was granted all of them before, and the caller still holds them.
    Replayed(LockSet),
    /// The caller holds none of them.
    Refused {
        /// The first resource, in ascending order, that refused.
        resource: ResourceName,
        /// How the acquire of this resource ended; never with a grant.
        by: Acquired,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Metadata, Mode, Owner};

    fn set(names: &[&str]) -> Result<AcquireSet, BrokenRule> {
        let part = |name: &&str| Acquire {
            resource: ResourceName::parse(name).expect("a name"),
            owner: Owner::new("me".into()).expect("an owner"),
            lease: Lease::from_millis(30_000.0, Duration::from_secs(60)).expect("a lease"),
            metadata: Metadata::from_stored("[]".into()),
            wait: Duration::from_secs(1),
            mode: Mode::Exclusive,
            headstart: Duration::ZERO,
            replaces: None,
            taker: None,
            once: None,
        };
        AcquireSet::new(names.iter().map(part).collect())
    }

    #[test]
    fn all_sets_take_their_parts_in_one_order_and_answer_in_that_of_the_client() {
        let set = set(&["b", "a!", "é", "a", "B"]).expect("a set");
        let ascending: Vec<_> = set.ascending().map(|part| part.resource.as_str().to_string()).collect();
        assert_eq!(ascending, ["B", "a", "a!", "b", "é"]);
        assert_eq!(set.in_request_order(ascending), ["b", "a!", "é", "a", "B"]);
        assert_eq!((set.lease().as_millis(), set.wait()), (30_000, Duration::from_secs(1)));
        assert!(set.parts().iter().all(|part| part.lease == Lease::HOLD));
    }

    #[test]
    fn a_set_has_1_to_64_names_and_none_of_them_twice() {
        let names: Vec<_> = (0..65).map(|number| number.to_string()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert!(set(&names[..64]).is_ok() && set(&names[..1]).is_ok());
        for (names, problem) in [
            (&names[..], "has 65 resources; it must be a list of 1 to 64 resources"),
            (&[], "must be a list of 1 to 64 resources"),
            (&["b", "a", "b"], "names \"b\" more than once"),
        ] {
            assert_eq!(set(names).expect_err("no set").to_string(), problem);
        }
    }
}
