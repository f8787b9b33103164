//! A client with one mistake fails, in the scenarios that are about it; the same client without it passes these.

use std::collections::BTreeSet;

use gorilla_conformance::{Runner, Scenario, all_scenarios, run_all};
use tokio::task::JoinSet;

/// Each mistake, and scenarios that must find it.
const MISTAKES: [(&str, &[&str]); 8] = [
    ("held-by-flag", &["blocked_past_the_deadline", "suspended_machine"]),
    ("body-error-replaced", &["the_body_raises_and_the_lock_is_lost"]),
    ("doubt-forgotten", &["doubt_outlives_later_refusals_to_serve", "html_to_the_end_is_unknown"]),
    ("key-for-each-copy", &["answer_of_acquire_lost", "answer_of_release_lost"]),
    ("renewal-after-release", &["acquire_check_release", "release_while_a_renewal_is_under_way"]),
    ("cancelled-and-kept", &["a_waiting_acquire_is_cancelled"]),
    ("token-in-log", &["acquire_check_release"]),
    ("late-loss", &["a_longer_grace", "no_renewal_is_answered"]),
];

fn named(names: &[&str]) -> Vec<Scenario> {
    let all = all_scenarios().expect("scenarios").into_iter();
    let found: Vec<_> = all.filter(|scenario| names.contains(&scenario.name.as_str())).collect();
    assert_eq!(found.len(), names.len(), "the scenarios {names:?} are there");
    found
}

/// The names of the scenarios that fail with a mistake.
async fn failed_with(mistake: &str, names: &[&str], retries: bool) -> Vec<String> {
    let agent = vec![env!("CARGO_BIN_EXE_mistaken-agent").into(), mistake.into()];
    let told = |result: &gorilla_conformance::Result| println!("{mistake}: {}", result.line());
    let report = run_all(&Runner { agent, jobs: 4, retries }, named(names), told).await;
    let mut failed: Vec<_> = report.failed().into_iter().map(String::from).collect();
    failed.sort();
    failed
}

#[tokio::test(flavor = "multi_thread")]
async fn scenarios_find_mistakes() {
    let names: BTreeSet<_> = MISTAKES.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let names: Vec<_> = names.into_iter().collect();
    let failed = failed_with("none", &names, true).await;
    assert!(failed.is_empty(), "without a mistake {} fail", failed.join(", "));
    let mut finding = JoinSet::new();
    for (mistake, names) in MISTAKES {
        finding.spawn(async move { (mistake, names, failed_with(mistake, names, false).await) });
    }
    while let Some(found) = finding.join_next().await {
        let (mistake, names, failed) = found.expect("the runner does not panic");
        let mut names = names.to_vec();
        names.sort();
        assert_eq!(failed, names, "the scenarios that find {mistake}");
    }
}
