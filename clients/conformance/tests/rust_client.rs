//! The Rust client passes all scenarios that apply to it.

use gorilla_conformance::{Runner, Status, all_scenarios, run_all};

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_client_passes_all_scenarios() {
    let runner = Runner { agent: vec![env!("CARGO_BIN_EXE_rust-agent").into()], jobs: 16, retries: true };
    let report = run_all(&runner, all_scenarios().expect("scenarios"), |result| {
        println!("{}", result.line());
        if !matches!(result.status, Status::Passed | Status::NotApplicable(_)) {
            result.story.iter().for_each(|line| println!("    {line}"));
        }
    })
    .await;
    println!("{}", report.table());
    assert!(report.is_good(), "failed: {}", report.failed().join(", "));
    let passed = report.results.iter().filter(|result| !matches!(result.status, Status::NotApplicable(_))).count();
    assert!(passed > 75, "only {passed} scenarios apply to the Rust client");
}

/// Each case and each rule of the contract of the clients has a scenario.
#[test]
fn scenarios_cover_the_contract() {
    let scenarios = all_scenarios().expect("scenarios");
    let covered: Vec<_> = scenarios.iter().flat_map(|scenario| &scenario.covers).collect();
    let cases = (1..=20).map(|case| format!("case {case}"));
    let missing: Vec<_> = cases
        .chain((1..=13).map(|rule| format!("rule {rule}")))
        .chain(["states".into()])
        .filter(|wanted| !covered.contains(&wanted))
        .collect();
    assert!(missing.is_empty(), "no scenario covers {}", missing.join(", "));
}
