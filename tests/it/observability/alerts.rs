//! The alerts by themselves: promtool accepts them, each fires and is silent in a test of its own, and each has a section
//! in the guide.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use super::project;
use crate::harness::Replica;

fn promtool(folder: &Path) -> Command {
    let mut command = Command::new("promtool");
    command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What promtool says to these arguments, with a text as its input.
fn asked(arguments: &[&str], input: &str) -> Output {
    let child = promtool(&project("deploy/prometheus")).args(arguments).spawn();
    let mut child = child.expect("promtool is in PATH; tests/install-prometheus installs it");
    child.stdin.take().expect("its input is piped").write_all(input.as_bytes()).expect("promtool reads its input");
    child.wait_with_output().expect("promtool ends")
}

/// Fails unless promtool has nothing to say against it.
fn accepts(arguments: &[&str], input: &str) -> String {
    let output = asked(arguments, input);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {}: {said}", arguments.join(" "));
    said
}

fn read(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of the alerts.
fn names() -> Vec<String> {
    let text = read("deploy/prometheus/alerts.yml");
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(String::from);
    names.collect()
}

#[test]
fn promtool_accepts_the_alerts_and_the_configuration() {
    let said = accepts(&["check", "rules", "--lint-fatal", "alerts.yml"], "");
    assert!(said.contains(&format!("{} rules found", names().len())), "{said}");
    accepts(&["check", "config", "--lint-fatal", "prometheus.yml"], "");
}

#[test]
fn every_alert_fires_when_it_should_and_is_silent_when_it_should_be() {
    accepts(&["test", "rules", "alerts_test.yml"], "");
    let tests = read("deploy/prometheus/alerts_test.yml");
    let expected: Vec<_> = tests.lines().map(str::trim).collect();
    for name in names() {
        let named = format!("alertname: {name}");
        let after: Vec<_> = expected.windows(2).filter(|lines| lines[0] == named).map(|lines| lines[1]).collect();
        assert!(after.contains(&"exp_alerts:"), "{name} fires in a test");
        assert!(after.contains(&"exp_alerts: []"), "{name} is silent in a test");
    }
}

#[test]
fn every_alert_leads_to_its_section_of_the_guide_and_no_section_is_without_an_alert() {
    let (alerts, guide) = (read("deploy/prometheus/alerts.yml"), read("docs/guides/alerts.md"));
    let sections: Vec<_> = guide.lines().filter_map(|line| line.strip_prefix("## ")).map(String::from).collect();
    assert_eq!(sections, names());
    for alert in alerts.split("- alert: ").skip(1) {
        let name = alert.lines().next().expect("a name");
        let link = format!("runbook_url: docs/guides/alerts.md#{}", name.to_lowercase());
        for part in [link.as_str(), "summary: ", "description: ", "severity: "] {
            assert_eq!(alert.matches(part).count(), 1, "{name} has {part}");
        }
    }
}

#[tokio::test]
async fn promtool_has_nothing_to_say_against_the_metrics_of_a_replica() {
    let api = Replica::shared().await;
    let page = api.get("/metrics").await;
    assert_eq!(page.status, 200);
    accepts(&["check", "metrics"], &page.text);
}
