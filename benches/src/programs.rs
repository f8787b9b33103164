//! Clients of Redis that are a program of their own, as contestants.toml has them: each takes a task as its arguments, and
//! prints what it saw as JSON.

use std::{fs, fs::File, process::Command, process::Stdio};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::{resource::UsageWho, resource::getrusage, time::TimeValLike};
use serde::Deserialize;

use crate::{contestant::Contestant, contestant::Task, contestant::file, language::filled, results::Figures};

/// Where packages are installed, and where the programs are.
const FOLDERS: [(&str, &str); 2] = [
    ("{folder}", concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench")),
    ("{direct}", concat!(env!("CARGO_MANIFEST_DIR"), "/direct")),
];

/// A library for locks in Redis.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Described {
    what: String,
    install: Vec<Vec<String>>,
    /// What its installation needs, and how to get it.
    needs: String,
    version: Vec<String>,
    clients: Vec<String>,
}

/// Has it installed where it is not, alone: of two processes that install into one folder, each takes files away from under
/// the other, and both say that all went well.
pub fn prepare(name: &str, redis_port: u16) -> Result<Contestant> {
    let described = file().libraries.get(name).context("there is no such library")?;
    let Described { what, install, needs, version, clients } = described;
    let folder = FOLDERS[0].1;
    fs::create_dir_all(folder)?;
    let alone = File::create(format!("{folder}/lock"))?;
    alone.lock()?;
    let run = |words: &Vec<String>| finish(&mut limited(words, 300.0));
    let installed = install.iter().try_for_each(|words| run(words).map(drop)).and_then(|()| run(version));
    let version = installed.with_context(|| format!("it needs {needs}"))?.output;
    let take_turn = move |task: &Task| {
        // A minute more, to start and until the last waiter has had its turn.
        let mut program = limited(clients, task.warm_up + task.measured + 60.0);
        let numbers = [task.clients as f64, task.warm_up, task.measured].map(|number| number.to_string());
        let ended = finish(program.arg(redis_port.to_string()).arg(&task.workload.name).args(numbers))?;
        let line = ended.output.lines().last().unwrap_or_default();
        let seen: Figures = serde_json::from_str(line).with_context(|| format!("it said {line}"))?;
        ensure!(seen.get("cycles_per_s") > Some(&0.0), "not one lock was granted in the measured time");
        Ok(seen)
    };
    Ok(Contestant { what: what.replace("{version}", version.trim()), take_turn: Box::new(take_turn) })
}

pub struct Ended {
    pub output: String,
    pub cpu: f64,
}

/// A program with its first arguments, that is ended after so many seconds.
pub fn limited(words: &[String], seconds: f64) -> Command {
    let folders = FOLDERS.map(|(name, folder)| (name, folder.to_string()));
    let mut command = Command::new("timeout");
    command.arg(seconds.to_string()).args(words.iter().map(|word| filled(word, &folders)));
    command
}

/// Runs a program to its end. Fails with its last words, where a traceback has the error.
pub fn finish(command: &mut Command) -> Result<Ended> {
    let name = command.get_args().nth(1).unwrap_or_default().to_string_lossy().into_owned();
    let before = used_by_children()?;
    let output = command.stdin(Stdio::null()).output().with_context(|| name.clone())?;
    let cpu = used_by_children()? - before;
    if output.status.success() {
        return Ok(Ended { output: String::from_utf8_lossy(&output.stdout).into_owned(), cpu });
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let why = if output.status.code() == Some(124) { "it took too long".into() } else { output.status.to_string() };
    bail!("{name}: {why}: {}", lines[lines.len().saturating_sub(4)..].join(" / "))
}

/// The seconds of processor time of all programs that this one has waited for, to the microsecond: the ticks of `/proc` are
/// 10 ms, which is all that a short run of redis-benchmark takes.
fn used_by_children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6)
}
