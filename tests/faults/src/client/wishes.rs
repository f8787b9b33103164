//! What clients want of which resource, and how a body says so.

use fastrand::Rng;
use serde_json::{Value, json};

/// Permits of a shared lock, and the limit that the client names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// How many permits.
    pub permits: u64,
    /// Of how many, if the client names a limit.
    pub limit: Option<u64>,
}

/// A share of the lock with this index, or `None` to have the lock alone.
pub fn share(index: usize, random: &mut Rng) -> Option<Share> {
    let of = |limit, random: &mut Rng| Share { permits: random.u64(1..=limit), limit: Some(limit) };
    let reader = Share { permits: 1, limit: None };
    match index {
        // A lock that is only held alone.
        0 | 1 => None,
        // Many readers, and a writer now and then.
        2 => (random.u32(..3) > 0).then_some(reader),
        // A semaphore.
        3 => (random.u32(..6) > 0).then(|| of(3, random)),
        // A semaphore whose limit is pinned at times.
        4 if random.u32(..6) == 0 => None,
        4 if random.bool() => Some(reader),
        4 => Some(of(random.u64(2..=4), random)),
        PATIENT => (random.u32(..4) > 0).then(|| Share { permits: random.u64(1..=2), limit: Some(3) }),
        // Everybody names another limit.
        _ => match random.u32(..4) {
            0 => None,
            1 => Some(reader),
            _ => Some(of(random.u64(2..=3), random)),
        },
    }
}

/// The index of the lock that only patient clients use. So little happens to it that a waiter whom nobody calls waits on.
pub const PATIENT: usize = 6;

/// How long to wait for the lock with this index, in milliseconds.
pub fn wait(index: usize, share: Option<Share>, random: &mut Rng) -> u64 {
    match (index, share) {
        // Whoever wants the lock alone soon gives up, and others wait behind it.
        (PATIENT, None) => random.u64(200..700),
        (PATIENT, Some(_)) => random.u64(800..2500),
        _ if random.u32(..5) < 2 => random.u64(200..2500),
        _ => 0,
    }
}

/// The indices of the locks of a set, in the order of its request: mostly two, so that many sets are granted. The lock whose
/// clients all name other limits would refuse most of them.
pub fn set(random: &mut Rng) -> Vec<usize> {
    let count = *random.choice(&[2, 2, 2, 3, 4]).unwrap_or(&2);
    let mut indices: Vec<_> = (0..5).collect();
    random.shuffle(&mut indices);
    indices.truncate(count);
    indices
}

/// Whether the limit of the lock with this index is pinned at times.
pub fn is_pinned_at_times(index: usize) -> bool {
    index == 4
}

/// What a client that has a lock alone makes of it, when it wants to share it: without a limit it takes the limit that
/// others have named.
pub fn downgrade(random: &mut Rng) -> Share {
    Share { permits: 1, limit: (random.u32(..4) == 0).then_some(3) }
}

/// A body with a lease in milliseconds.
pub fn lease(milliseconds: u64) -> Value {
    json!({ "timeout": milliseconds as f64 / 1000.0 })
}

/// Adds the mode that is wanted to a body.
pub fn want(body: &mut Value, share: Option<Share>) {
    let Some(Share { permits, limit }) = share else {
        body["mode"] = "exclusive".into();
        return;
    };
    body["mode"] = "shared".into();
    if let Some(limit) = limit {
        body["limit"] = limit.into();
        body["permits"] = permits.into();
    }
}
