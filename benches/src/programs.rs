//! Clients of Redis that are programs of their own, which contestants.toml describes. A program gets a task as its
//! arguments, and prints what it saw as JSON.

use std::{fs, fs::File, process::Command, process::Stdio};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::{resource::UsageWho, resource::getrusage, time::TimeValLike};

use crate::{
    contestant::Contestant, described::DescribedLibrary, described::file, language::filled, results::Figures,
    task::Task,
};

/// Where packages are installed, and where the programs are.
const FOLDERS: [(&str, &str); 2] = [
    ("{folder}", concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench")),
    ("{direct}", concat!(env!("CARGO_MANIFEST_DIR"), "/direct")),
];

/// Installs a library unless it is installed. Only one process installs at a time: if two processes install into one
/// folder, each removes files of the other, and both say that they succeeded.
pub fn prepare(name: &str, redis_port: u16) -> Result<Contestant> {
    let described = file().libraries.get(name).context("there is no such library")?;
    let DescribedLibrary { what, install, needs, version, clients } = described;
    let folder = FOLDERS[0].1;
    fs::create_dir_all(folder)?;
    let alone = File::create(format!("{folder}/lock"))?;
    alone.lock()?;
    let run = |words: &Vec<String>| finish(&mut limited(words, 300.0));
    let installed = install.iter().try_for_each(|words| run(words).map(drop)).and_then(|()| run(version));
    let version = installed.with_context(|| format!("the library needs {needs}"))?.output;
    let take_turn = move |task: &Task| {
        // A minute more, for the start, and until the last waiter has had the lock.
        let mut program = limited(clients, task.warm_up + task.measured + 60.0);
        let numbers = [task.clients as f64, task.warm_up, task.measured].map(|number| number.to_string());
        let ended = finish(program.arg(redis_port.to_string()).arg(&task.workload.name).args(numbers))?;
        let line = ended.output.lines().last().unwrap_or_default();
        let seen: Figures = serde_json::from_str(line).with_context(|| format!("the program printed {line}"))?;
        ensure!(seen.get("cycles_per_s") > Some(&0.0), "no client got a lock in the measured time");
        Ok(seen)
    };
    Ok(Contestant { what: what.replace("{version}", version.trim()), take_turn: Box::new(take_turn) })
}

pub struct Ended {
    pub output: String,
    pub cpu: f64,
}

/// A program with its first arguments, ended after so many seconds.
pub fn limited(words: &[String], seconds: f64) -> Command {
    let folders = FOLDERS.map(|(name, folder)| (name, folder.to_string()));
    let mut command = Command::new("timeout");
    command.arg(seconds.to_string()).args(words.iter().map(|word| filled(word, &folders)));
    command
}

/// Runs a program to its end. If it fails, the error has the last lines that it printed, where a traceback has its
/// error.
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
    let why = if output.status.code() == Some(124) { "took too long".into() } else { output.status.to_string() };
    bail!("{name}: {why}: {}", lines[lines.len().saturating_sub(4)..].join(" / "))
}

/// The seconds of processor time of all programs that this program has waited for, exact to a microsecond. The ticks of
/// `/proc` are 10 ms, and a short run of redis-benchmark takes no longer.
fn used_by_children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6)
}
