//! A process of an agent.

use std::{
    collections::BTreeMap,
    os::unix::process::ExitStatusExt,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use gorilla_harness::Signal;
use rustix::process::{Pid, kill_process};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::watch,
    time::timeout,
};

/// How long an agent may take to say who it is. Some runtimes start slowly on a busy machine.
const HELLO: Duration = Duration::from_secs(60);
/// How long an agent may take to end after its standard input has ended.
const END: Duration = Duration::from_secs(5);

/// The process.
pub struct Agent {
    child: Child,
    stdin: Option<ChildStdin>,
    pid: Pid,
    heard: Arc<Heard>,
    /// The runner has ended it by a signal.
    is_terminated: bool,
}

/// What an agent has said.
struct Heard {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

/// Everything that was said.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub hello: Option<Value>,
    pub events: Vec<Event>,
    pub answers: BTreeMap<u64, (Instant, Value)>,
    pub commands: Vec<Sent>,
    /// Each line of standard output, and of standard error.
    pub lines: Vec<(Instant, String)>,
    pub stderr: Vec<String>,
    pub problems: Vec<String>,
    has_ended: bool,
}

/// An event, or the answer of a child to a command.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: Instant,
    pub value: Value,
    /// Whether a step has waited for it.
    pub used: bool,
}

/// A command.
#[derive(Clone, Debug)]
pub struct Sent {
    pub id: u64,
    pub at: Instant,
    pub value: Value,
}

impl Agent {
    /// Starts an agent, and waits until it has said who it is.
    pub async fn start(command: &[String], env: &[(String, String)]) -> Result<Self, String> {
        let (program, arguments) = command.split_first().ok_or("the command of the agent is empty")?;
        let mut command = Command::new(program);
        command.args(arguments).env_remove("GORILLA_API_KEY").envs(env.iter().cloned()).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{program} does not start: {error}"))?;
        let pid = child.id().and_then(|pid| Pid::from_raw(pid as i32)).ok_or("the agent has ended already")?;
        let heard = Arc::new(Heard { state: Mutex::default(), changed: watch::Sender::new(()) });
        if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
            tokio::spawn(listen(stdout, Arc::clone(&heard), true));
            tokio::spawn(listen(stderr, Arc::clone(&heard), false));
        }
        let stdin = child.stdin.take();
        let agent = Self { child, stdin, pid, heard, is_terminated: false };
        agent.until("who the agent is", HELLO, |state| state.hello.clone().map(drop)).await?;
        Ok(agent)
    }

    /// What it has said so far.
    pub fn state(&self) -> State {
        self.heard.lock().clone()
    }

    /// Why a capability is missing, if it is.
    pub fn lacks(&self, capability: &str) -> Option<String> {
        let state = self.heard.lock();
        let reason = &state.hello.as_ref()?["without"][capability];
        (!reason.is_null()).then(|| reason.as_str().unwrap_or_default().into())
    }

    /// Sends a command, and returns its id.
    pub async fn send(&mut self, name: &str, members: &Value) -> Result<u64, String> {
        let mut command = match members {
            Value::Object(_) => members.clone(),
            _ => json!({}),
        };
        let id = {
            let mut state = self.heard.lock();
            let id = state.commands.len() as u64 + 1;
            (command["id"], command["do"]) = (id.into(), name.into());
            state.commands.push(Sent { id, at: Instant::now(), value: command.clone() });
            id
        };
        let stdin = self.stdin.as_mut().ok_or("the agent has ended")?;
        let line = format!("{command}\n");
        stdin.write_all(line.as_bytes()).await.map_err(|error| format!("the agent takes no commands: {error}"))?;
        stdin.flush().await.map_err(|error| format!("the agent takes no commands: {error}"))?;
        Ok(id)
    }

    /// The answer to a command.
    pub async fn answer(&self, id: u64, within: Duration) -> Result<Value, String> {
        self.until("an answer", within, |state| state.answers.get(&id).map(|(_, answer)| answer.clone())).await
    }

    /// The first event that no step has waited for before, and that `is` recognises.
    pub async fn event(&self, what: &str, within: Duration, is: impl Fn(&Value) -> bool) -> Result<(), String> {
        let take = |state: &mut State| {
            let event = state.events.iter_mut().find(|event| !event.used && is(&event.value))?;
            event.used = true;
            Some(())
        };
        self.until(what, within, take).await
    }

    pub fn signal(&self, signal: Signal) -> Result<(), String> {
        kill_process(self.pid, signal).map_err(|error| format!("the agent can't be signalled: {error}"))
    }

    /// A number of `/proc/<pid>/status`, such as `Threads`.
    pub fn status(&self, name: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid.as_raw_pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Sends SIGTERM, and expects that the agent dies of it, as a process does that has no handler.
    pub async fn terminate(&mut self, within: Duration) -> Result<(), String> {
        self.signal(Signal::TERM)?;
        let ended = timeout(within, self.child.wait()).await.map_err(|_| "the agent did not end after SIGTERM")?;
        let ended = ended.map_err(|error| error.to_string())?;
        self.is_terminated = true;
        match ended.signal() == Some(Signal::TERM.as_raw()) {
            true => Ok(()),
            false => Err(format!("the agent handled SIGTERM: it ended with {ended}")),
        }
    }

    /// Ends the standard input, and tells what is wrong with how the agent ends.
    pub async fn end(&mut self) -> Option<String> {
        self.stdin = None;
        if self.is_terminated {
            return None;
        }
        let problem = match timeout(END, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => None,
            Ok(Ok(status)) => Some(format!("the agent ended with {status}")),
            Ok(Err(error)) => Some(format!("the agent can't be waited for: {error}")),
            Err(_) => Some("the agent did not end within 5 s after its standard input".into()),
        };
        if problem.is_some() {
            let _ = self.child.kill().await;
        }
        // What it said last may still be on its way, unless a process that it started keeps the pipe open.
        let _ = self.until("the end", Duration::from_secs(1), |state| state.has_ended.then_some(())).await;
        problem
    }

    async fn until<T>(
        &self,
        what: &str,
        within: Duration,
        mut found: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T, String> {
        let mut changes = self.heard.changed.subscribe();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                {
                    let mut state = self.heard.lock();
                    if let Some(found) = found(&mut state) {
                        return Ok(found);
                    }
                    if state.has_ended {
                        return Err(format!("the agent ended before it said {what}"));
                    }
                }
                if changes.changed().await.is_err() {
                    return Err("nobody listens to the agent".into());
                }
            }
        };
        let told = timeout(within, waiting).await;
        told.unwrap_or_else(|_| Err(format!("the agent did not say {what} within {:.1} s", within.as_secs_f64())))
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line of standard output.
    fn take(&self, line: String) {
        let at = Instant::now();
        let mut state = self.lock();
        match serde_json::from_str::<Value>(&line) {
            Ok(value) if value["event"].is_string() || value["child"] == true => {
                state.events.push(Event { at, value, used: false });
            }
            Ok(value) if value["id"].is_u64() => {
                let id = value["id"].as_u64().unwrap_or_default();
                if state.answers.insert(id, (at, value)).is_some() {
                    state.problems.push(format!("the agent answered the command {id} twice"));
                }
            }
            Ok(value) if value["agent"].is_string() && state.hello.is_none() => state.hello = Some(value),
            _ => state.problems.push(format!("the agent wrote what the protocol does not know: {line}")),
        }
        state.lines.push((at, line));
    }
}

async fn listen(pipe: impl AsyncRead + Unpin, heard: Arc<Heard>, is_stdout: bool) {
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match is_stdout {
            true => heard.take(line),
            false => heard.lock().stderr.push(line),
        }
        heard.changed.send_replace(());
    }
    if is_stdout {
        heard.lock().has_ended = true;
        heard.changed.send_replace(());
    }
}
