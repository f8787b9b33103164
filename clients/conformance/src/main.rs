//! The runner: `cargo run -p gorilla-conformance -- --agent "python3 clients/python/agent.py"`.

use std::process::ExitCode;

use clap::Parser;
use gorilla_conformance::{Runner, Status, all_scenarios, run_all};

/// Tests a client library of Gorilla by its agent.
#[derive(Parser)]
struct Arguments {
    /// The command of the agent, split at spaces. By default the agent of the Rust client
    #[arg(long)]
    agent: Option<String>,
    /// Only the scenarios whose names contain this text; several are allowed
    #[arg(long)]
    only: Vec<String>,
    /// How many scenarios run at once
    #[arg(long, default_value_t = 16)]
    jobs: usize,
    /// Print all that was said in scenarios that failed
    #[arg(long)]
    show: bool,
    /// Print all that was said in every scenario
    #[arg(long)]
    show_all: bool,
    /// Print the names of the scenarios, and run none
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let scenarios = match all_scenarios() {
        Ok(scenarios) => scenarios,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let is_wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| name.contains(only));
    let scenarios: Vec<_> = scenarios.into_iter().filter(|scenario| is_wanted(&scenario.name)).collect();
    if arguments.list {
        scenarios.iter().for_each(|scenario| println!("{:44} {}", scenario.name, scenario.covers.join(", ")));
        return ExitCode::SUCCESS;
    }
    let agent = match &arguments.agent {
        Some(agent) => agent.split_whitespace().map(String::from).collect(),
        None => match std::env::current_exe() {
            Ok(path) => vec![path.with_file_name("rust-agent").display().to_string()],
            Err(error) => {
                eprintln!("the Rust agent can't be found: {error}");
                return ExitCode::from(2);
            }
        },
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the runner can't run: {error}");
            return ExitCode::from(2);
        }
    };
    if scenarios.is_empty() {
        eprintln!("no scenario has such a name");
        return ExitCode::from(2);
    }
    let runner = Runner { agent, jobs: arguments.jobs, retries: true };
    let report = runtime.block_on(run_all(&runner, scenarios, |result| {
        println!("{}", result.line());
        let has_failed = matches!(result.status, Status::Failed(_) | Status::PassedAlone(_));
        if arguments.show_all || (arguments.show && has_failed) {
            result.story.iter().for_each(|line| println!("    {line}"));
        }
    }));
    println!("\n{}", report.table());
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
