//! Which operation comes next.

use std::time::Duration;

use fastrand::Rng;
use serde_json::json;
use uuid::Uuid;

use super::{
    oracle::Oracle,
    step::{Act, Step},
};

/// Leases are this short, and then their end is awaited …
const SHORT: Duration = Duration::from_millis(100);
/// … or multiples of this, which is more than a run lasts. So which of two ends later is never in doubt.
const LONG: Duration = Duration::from_secs(100);

/// Chooses steps so that every outcome comes up often.
pub struct Generator {
    resources: Vec<String>,
    /// The steps that had a key, to be sent again.
    keyed: Vec<Step>,
    /// Follows a short lease.
    must_follow: Option<Step>,
}

impl Generator {
    pub fn new(resources: Vec<String>) -> Self {
        Self { resources, keyed: Vec::new(), must_follow: None }
    }

    pub fn next(&mut self, rng: &mut Rng, oracle: &Oracle) -> Step {
        if let Some(step) = self.must_follow.take() {
            return step;
        }
        // Mostly one of the last steps: the locks of earlier steps are long gone.
        let again = self.keyed.iter().rev().nth(rng.usize(0..12)).filter(|_| rng.u8(0..6) == 0).cloned();
        let step = again.unwrap_or_else(|| self.fresh(rng, oracle));
        if let Act::Acquire { lease: SHORT, .. } = step.act
            && ["done", "replayed"].contains(&oracle.expects(&step))
        {
            self.must_follow = Some(Step { key: None, act: Act::AwaitEnd, ..step.clone() });
        }
        if step.key.is_some() {
            self.keyed.push(step.clone());
        }
        step
    }

    fn fresh(&self, rng: &mut Rng, oracle: &Oracle) -> Step {
        let resource = self.resources[rng.usize(0..self.resources.len())].clone();
        let act = match rng.u8(0..100) {
            0..35 => Act::Acquire {
                owner: ["ann", "bob", "cy"][rng.usize(0..3)],
                lease: if rng.u8(0..40) == 0 { SHORT } else { long(rng) },
                metadata: [json!([]), json!(["a", { "b": 1 }])][rng.usize(0..2)].clone(),
            },
            35..60 => Act::Extend {
                token: token(rng, oracle, &resource),
                lease: long(rng),
                metadata: [None, None, Some(json!(null)), Some(json!([{ "at": 2.50 }]))][rng.usize(0..4)].clone(),
                rotate: [None, Some(true), Some(false)][rng.usize(0..3)],
            },
            60..75 => Act::Release { token: token(rng, oracle, &resource) },
            75..84 => {
                let stands = oracle.current(&resource).map(|grant| grant.fence);
                Act::Break { fence: [None, stands, Some(rng.u64(1..1 << 53))][rng.usize(0..3)] }
            }
            84..93 => Act::Status { token: token(rng, oracle, &resource) },
            _ => Act::State,
        };
        let reads = matches!(act, Act::Status { .. } | Act::State);
        let key = (!reads && rng.u8(0..3) == 0).then(|| self.key(rng));
        Step { resource, key, act }
    }

    /// A new key, or a key that came with another request.
    fn key(&self, rng: &mut Rng) -> String {
        let used = self.keyed.iter().rev().nth(rng.usize(0..40)).and_then(|step| step.key.clone());
        used.filter(|_| rng.u8(0..4) == 0).unwrap_or_else(|| format!("key-{}", self.keyed.len()))
    }
}

fn long(rng: &mut Rng) -> Duration {
    LONG * rng.u32(1..40)
}

/// Mostly the current token; otherwise a token that was valid once, or never.
fn token(rng: &mut Rng, oracle: &Oracle, resource: &str) -> String {
    let current = oracle.current(resource).map(|grant| grant.token.clone());
    let superseded = oracle.tokens(resource).iter().rev().nth(rng.usize(0..5)).cloned();
    let known = match rng.u8(0..10) {
        0..6 => current,
        6..9 => superseded,
        _ => None,
    };
    known.unwrap_or_else(|| Uuid::from_u128(rng.u128(..)).to_string())
}
