//! Random input to a real replica. proptest makes the cases from a seed. It makes a case that fails as small as
//! possible, and prints it with the seed: `GORILLA_TEST_SEED=<seed>` repeats it, `PROPTEST_CASES=<number>` makes more.

mod bodies;
mod hang_ups;
mod heads;
mod json;
mod keys;
mod paths;
mod service;

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};
use tokio::runtime::Runtime;

const SEED: &str = "GORILLA_TEST_SEED";

/// Tries a property with random values, `cases` of them unless PROPTEST_CASES says otherwise. It fails by panicking.
fn for_all<S: Strategy>(runtime: &Runtime, cases: u32, values: S, property: impl AsyncFn(S::Value)) {
    let seed = std::env::var(SEED).map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a seed is a number"));
    let cases = std::env::var("PROPTEST_CASES").map_or(cases, |cases| cases.parse().expect("a number of cases"));
    // The message has the seed and the case, so no file keeps cases that failed.
    let config = Config { cases, failure_persistence: None, max_shrink_time: 20_000, ..Config::default() };
    let bytes: Vec<u8> = seed.to_le_bytes().repeat(4);
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let outcome = runner.run(&values, |value| {
        runtime.block_on(property(value));
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, case)) => panic!("{SEED}={seed}: {why}\nThe smallest case that fails: {case:#?}"),
        Err(TestError::Abort(why)) => panic!("{SEED}={seed}: no cases could be made: {why}"),
    }
}
