//! Runs scenarios, several at once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gorilla_harness::{Api, Replica};
use tokio::{
    sync::{OnceCell, Semaphore},
    task::JoinSet,
    time::sleep,
};

use crate::{
    report::{Report, Result, Status},
    scenario::{Scenario, Server},
    session::{Served, Session},
    verdict::Seen,
};

/// What a client may still send or say after its last answer.
const QUIET: Duration = Duration::from_millis(150);

/// How to run scenarios.
#[derive(Clone, Debug)]
pub struct Runner {
    /// The agent and its arguments.
    pub agent: Vec<String>,
    /// How many scenarios run at once.
    pub jobs: usize,
    /// Whether a scenario that fails is run once more, alone.
    pub retries: bool,
}

/// Runs scenarios, and calls `told` with each as it ends.
pub async fn run_all(runner: &Runner, scenarios: Vec<Scenario>, told: impl Fn(&Result)) -> Report {
    let mut scenarios: Vec<_> = scenarios.into_iter().map(Arc::new).collect();
    // The longest first, so that none of them is left at the end.
    scenarios.sort_by_key(|scenario| std::cmp::Reverse((waits(scenario) * 1000.0) as u64));
    let shared: Arc<OnceCell<Replica>> = Arc::default();
    let places = Arc::new(Semaphore::new(runner.jobs.max(1)));
    let mut running = JoinSet::new();
    for scenario in scenarios {
        let (agent, shared, places) = (runner.agent.clone(), Arc::clone(&shared), Arc::clone(&places));
        running.spawn(async move {
            let _place = places.acquire_owned().await;
            (run_apart(&scenario, &agent, &shared).await, scenario)
        });
    }
    let (mut report, mut again) = (Report::default(), Vec::new());
    while let Some(ended) = running.join_next().await {
        let Ok(((result, client), scenario)) = ended else { continue };
        report.client = client.unwrap_or(report.client);
        match &result.status {
            Status::Failed(reasons) if runner.retries => again.push((scenario, reasons.clone())),
            _ => {
                told(&result);
                report.results.push(result);
            }
        }
    }
    for (scenario, before) in again {
        let (mut result, client) = run_apart(&scenario, &runner.agent, &shared).await;
        report.client = client.unwrap_or(report.client);
        if result.status == Status::Passed {
            result.status = Status::PassedAlone(before);
        }
        told(&result);
        report.results.push(result);
    }
    report
}

/// Runs a scenario in a task of its own: what the harness asserts ends only that.
async fn run_apart(
    scenario: &Arc<Scenario>,
    agent: &[String],
    shared: &Arc<OnceCell<Replica>>,
) -> (Result, Option<String>) {
    let begun = Instant::now();
    let (inner, agent, shared) = (Arc::clone(scenario), agent.to_vec(), Arc::clone(shared));
    let ended = tokio::spawn(async move { run(&inner, &agent, &shared).await }).await;
    let (status, story, client) = ended.unwrap_or_else(|error| {
        (Status::Failed(vec![format!("the runner could not go on: {error}")]), Vec::new(), None)
    });
    let (name, covers) = (scenario.name.clone(), scenario.covers.clone());
    (Result { name, covers, status, seconds: begun.elapsed().as_secs_f64(), story }, client)
}

async fn run(
    scenario: &Arc<Scenario>,
    agent: &[String],
    shared: &OnceCell<Replica>,
) -> (Status, Vec<String>, Option<String>) {
    let api = match scenario.server {
        Server::Replica => shared.get_or_init(Replica::start).await.api.apart(),
        // Nobody asks it.
        Server::Fake => Api::at("127.0.0.1:9"),
    };
    let mut session = match Session::start(scenario, agent, &api).await {
        Ok(session) => session,
        Err(error) => return (Status::Failed(vec![error]), Vec::new(), None),
    };
    let hello = session.first.state().hello.unwrap_or_default();
    let client = hello["agent"].as_str().map(String::from);
    if let Some(reason) = scenario.needs.iter().find_map(|need| session.first.lacks(need)) {
        let _ = session.first.end().await;
        return (Status::NotApplicable(reason), Vec::new(), client);
    }
    let begun = Instant::now();
    let mut problems = Vec::new();
    for (number, step) in scenario.steps.iter().enumerate() {
        if let Err(error) = session.step(step).await {
            problems.push(format!("step {} ({}): {error}", number + 1, step.name));
            break;
        }
    }
    sleep(QUIET).await;
    // What the client sends because its process ends is not looked at, but for the URLs.
    let entries = session.log.entries();
    problems.extend(session.first.end().await);
    if let Some(second) = &mut session.second {
        problems.extend(second.end().await);
    }
    if let Served::Fake(fake) = &session.served {
        problems.extend(fake.problems());
    }
    let agents: Vec<_> =
        [Some(&session.first), session.second.as_ref()].into_iter().flatten().map(|agent| agent.state()).collect();
    let seen = Seen {
        entries,
        spans: session.leases.spans(),
        tokens: session.leases.tokens(),
        advances: session.advances.clone(),
        agents,
    };
    problems.extend(seen.problems(&scenario.expect));
    let story = story(&seen, begun);
    (if problems.is_empty() { Status::Passed } else { Status::Failed(problems) }, story, client)
}

/// Everything that was said, without tokens.
fn story(seen: &Seen, begun: Instant) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, agent) in seen.agents.iter().enumerate() {
        let who = if number == 0 { "agent" } else { "second agent" };
        lines.extend(agent.commands.iter().map(|sent| (sent.at, format!("runner → {who}: {}", sent.value))));
        lines.extend(agent.lines.iter().map(|(at, line)| (*at, format!("{who}: {line}"))));
        let last = agent.lines.last().map_or(begun, |(at, _)| *at);
        lines.extend(agent.stderr.iter().map(|line| (last, format!("{who}, standard error: {line}"))));
    }
    for entry in &seen.entries {
        let key = entry.operation.key.as_deref().unwrap_or("none");
        let key = key.get(..8).unwrap_or(key);
        let after = entry.done.map_or("never".into(), |done| format!("{:.3} s", (done - entry.at).as_secs_f64()));
        let status = entry.status.map_or("no answer".into(), |status| status.to_string());
        let line = format!(
            "wire: {} {} key {key} {}: {status} after {after}",
            entry.request.method, entry.request.target, entry.request.body
        );
        lines.push((entry.at, line));
    }
    lines.sort_by_key(|(at, _)| *at);
    let hide = |line: String| seen.tokens.iter().fold(line, |line, token| line.replace(token, "<token>"));
    let since = |at: Instant| at.saturating_duration_since(begun).as_secs_f64();
    lines.into_iter().map(|(at, line)| format!("{:8.3}  {}", since(at), hide(line))).collect()
}

/// How long a scenario takes, about, in seconds.
fn waits(scenario: &Scenario) -> f64 {
    let step = |name: &str| matches!(name, "wait" | "suspend");
    let waits = scenario.steps.iter().filter(|found| step(&found.name)).filter_map(|step| step.members.as_f64());
    waits.sum()
}
