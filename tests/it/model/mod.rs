//! Random operations against the service and against a small model of what it promises. Each answer must have the
//! outcome and the facts that the model expects, until every outcome of every operation has been seen.
//!
//! A failing run prints its seed; `GORILLA_TEST_SEED=<seed>` repeats it.

mod generator;
mod oracle;
mod step;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use fastrand::Rng;

use crate::harness::{Redis, Replica, name};
use generator::Generator;
use oracle::Oracle;
use step::{Act, Step};

const SEED: &str = "GORILLA_TEST_SEED";
const FEWEST_STEPS: usize = 2000;
const LIMIT: Duration = Duration::from_secs(120);

/// All that can come of a request, and of waiting for the end of a lease.
const OUTCOMES: [(&str, &str); 28] = [
    ("acquire", "done"),
    ("acquire", "replayed"),
    ("acquire", "lock_held"),
    ("acquire", "lock_gone"),
    ("acquire", "idempotency_key_reused"),
    ("extend", "done"),
    ("extend", "replayed"),
    ("extend", "lock_not_found"),
    ("extend", "token_mismatch"),
    ("extend", "timeout_shorter"),
    ("extend", "lock_gone"),
    ("extend", "idempotency_key_reused"),
    ("release", "done"),
    ("release", "replayed"),
    ("release", "lock_not_found"),
    ("release", "token_not_found"),
    ("release", "idempotency_key_reused"),
    ("break", "done"),
    ("break", "replayed"),
    ("break", "lock_not_found"),
    ("break", "fence_changed"),
    ("break", "idempotency_key_reused"),
    ("status", "done"),
    ("status", "lock_not_found"),
    ("status", "token_not_found"),
    ("state", "held"),
    ("state", "free"),
    ("await", "ended"),
];

/// What was done, and whether it changed anything.
struct Done {
    step: Step,
    outcome: String,
    changed: bool,
}

#[tokio::test]
async fn random_operations_end_as_the_model_says_until_every_outcome_has_been_seen() {
    let seed = std::env::var(SEED).map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a seed is a number"));
    let settings = [("GORILLA__IDEMPOTENCY__WINDOW", "10m"), ("GORILLA__LOG__REQUESTS", "false")];
    let url = Redis::shared().url();
    let (one, two) = tokio::join!(Replica::with(&url, &settings), Replica::with(&url, &settings));
    let (begun, mut rng) = (Instant::now(), Rng::with_seed(seed));
    let mut generator = Generator::new((0..3).map(|_| name("model")).collect());
    let (mut oracle, mut history, mut seen) = (Oracle::default(), Vec::<Done>::new(), HashSet::new());

    while history.len() < FEWEST_STEPS || seen.len() < OUTCOMES.len() {
        let missing: Vec<_> = OUTCOMES.iter().filter(|outcome| !seen.contains(*outcome)).collect();
        assert!(begun.elapsed() < LIMIT, "after {} steps not seen: {missing:?}; {SEED}={seed}", history.len());
        let step = generator.next(&mut rng, &oracle);
        let api = if rng.bool() { &one.api } else { &two.api };
        let (expected, sent) = (oracle.expects(&step), Instant::now());
        let answer = step.send(api).await;
        let outcome = step.outcome(&answer);
        let learnt = if outcome == expected {
            oracle.learn(&step, expected, sent, &answer)
        } else {
            Err(format!("the model expects {expected}"))
        };
        if let Err(problem) = learnt {
            panic!("{}", report(seed, &history, &step, &format!("{outcome}: {problem}\n{answer:?}")));
        }
        let known = OUTCOMES.iter().find(|known| **known == (step.name(), expected));
        seen.insert(*known.unwrap_or_else(|| panic!("{expected} is listed for {}", step.name())));
        let changed = ["done", "replayed", "ended"].contains(&expected) && !matches!(step.act, Act::Status { .. });
        history.push(Done { step, outcome, changed });
    }
    println!("{} steps in {:?}, {SEED}={seed}", history.len(), begun.elapsed());
}

/// Resources don't touch each other and refusals change nothing, so the steps that matter are few.
fn report(seed: u64, history: &[Done], failed: &Step, problem: &str) -> String {
    let mut report = format!("{SEED}={seed}, step {}\n", history.len());
    for Done { step, outcome, .. } in
        history.iter().filter(|done| done.changed && done.step.resource == failed.resource)
    {
        report += &format!("{step:?} -> {outcome}\n");
    }
    report + &format!("{failed:?} -> {problem}")
}
