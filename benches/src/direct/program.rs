//! Programs that contestants bring: how they are run, what they used, and what they say.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use gorilla_harness::Process;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::{Direct, Locks, Measured, Task};

/// How long a program may take beyond the time that it was given: to start, and until the last waiter has had its turn.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long an installation may take.
pub const INSTALLATION: Duration = Duration::from_secs(300);

/// Where a library is installed to when it is first needed.
pub fn installed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench").join(name)
}

/// A file of `benches/direct`: what the clients are, and what they need.
pub fn source(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("direct").join(file)
}

/// A library whose clients are a program of their own, which takes a task as its arguments.
pub trait Library {
    /// As `Direct` has it.
    const NAME: &'static str;

    /// As `Direct` has it. It is alone: no other process prepares this contestant meanwhile.
    fn prepare() -> Result<String, String>;

    /// The program.
    fn clients() -> Result<Command, String>;
}

impl<L: Library> Direct for L {
    fn name(&self) -> &'static str {
        L::NAME
    }

    fn prepare(&mut self) -> Result<String, String> {
        let _alone = one_at_a_time(L::NAME)?;
        L::prepare()
    }

    fn own_locks(
        &self,
        redis_port: u16,
        clients: usize,
        warm_up: Duration,
        measured: Duration,
    ) -> Result<Measured, String> {
        measure(L::clients()?, Task::new(Locks::Own, redis_port, clients, warm_up, measured))
    }

    fn one_lock(
        &self,
        redis_port: u16,
        clients: usize,
        warm_up: Duration,
        measured: Duration,
    ) -> Option<Result<Measured, String>> {
        let task = Task::new(Locks::One, redis_port, clients, warm_up, measured);
        Some(L::clients().and_then(|clients| measure(clients, task)))
    }
}

/// Waits until no other process prepares this contestant, and keeps others from it until it is dropped: two that install
/// into one folder take files away from under each other, and both say that all went well.
fn one_at_a_time(contestant: &str) -> Result<File, String> {
    let lock = installed(contestant).with_extension("lock");
    fs::create_dir_all(installed(""))
        .and_then(|()| File::create(&lock))
        .and_then(|file| file.lock().map(|()| file))
        .map_err(|error| format!("{}: {error}", lock.display()))
}

/// A program that ended well.
pub struct Ended {
    /// Its standard output.
    pub output: String,
    /// The processor time that it used.
    pub cpu: Duration,
}

/// Runs it to its end. Fails with its own words where it does.
pub fn run(command: &mut Command, limit: Duration) -> Result<Ended, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |why: &dyn std::fmt::Display| format!("{name}: {why}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::spawn(command).map_err(|error| failed(&error))?;
    let (output, said) = (gathered(process.child.stdout.take()), gathered(process.child.stderr.take()));
    let pid = process.child.id();
    let begun = Instant::now();
    while !has_ended(pid) {
        if begun.elapsed() > limit {
            drop(process);
            return Err(failed(&format!("it had not ended after {limit:?}: {}", last_words(&said()))));
        }
        thread::sleep(Duration::from_millis(10));
    }
    // What a process used can be read until it is waited for.
    let cpu = cpu(pid)?;
    let status = process.child.wait().map_err(|error| failed(&error))?;
    match status.success() {
        true => Ok(Ended { output: output(), cpu }),
        false => Err(failed(&format!("{status}: {}", last_words(&said())))),
    }
}

/// Has the clients do their task. They answer with a line of JSON.
fn measure(mut clients: Command, task: Task) -> Result<Measured, String> {
    let ended = run(clients.args(task.to_args()), task.warm_up() + task.measured() + PATIENCE)?;
    let line = ended.output.lines().last().unwrap_or_default();
    let measured: Measured = serde_json::from_str(line).map_err(|error| format!("{error} in what it said: {line}"))?;
    something(measured)
}

/// Where nothing was granted, there is nothing to tell.
pub fn something(measured: Measured) -> Result<Measured, String> {
    if measured.cycles == 0 { Err("not one lock was granted in the measured time".into()) } else { Ok(measured) }
}

/// The processor time that all threads of a process have used. Counted in nanoseconds: the ticks of `/proc/<pid>/stat` are
/// 10 ms, which is all that a short run of redis-benchmark takes.
pub fn cpu(pid: u32) -> Result<Duration, String> {
    let folder = format!("/proc/{pid}/task");
    let failed = |error: io::Error| format!("{folder}: {error}");
    let mut used = 0;
    for thread in fs::read_dir(&folder).map_err(failed)? {
        let Ok(text) = fs::read_to_string(thread.map_err(failed)?.path().join("schedstat")) else {
            // The thread has just ended, or the kernel doesn't count.
            continue;
        };
        used += text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse::<u64>().ok()).unwrap_or_default();
    }
    if used == 0 { Err(format!("{folder} tells no processor time")) } else { Ok(Duration::from_nanos(used)) }
}

fn has_ended(pid: u32) -> bool {
    let Some(pid) = Pid::from_raw(pid as i32) else { return true };
    let looking = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(pid), looking), Ok(None))
}

/// Reads all of it meanwhile, so that the program never waits for its reader.
fn gathered(pipe: Option<impl Read + Send + 'static>) -> impl FnOnce() -> String {
    let reader = thread::spawn(move || {
        let mut read = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut read);
        }
        String::from_utf8_lossy(&read).into_owned()
    });
    move || reader.join().unwrap_or_default()
}

/// The end of what it said, where a traceback has the error.
fn last_words(said: &str) -> String {
    let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join(" / ")
}
