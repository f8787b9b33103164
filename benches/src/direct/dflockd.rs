//! dflockd, a lock server in Go that keeps its locks in memory: lines over TCP, and no Redis.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use gorilla_harness::Process;
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    Direct, LEASE, Locks, Measured, Task,
    clients::{self, Client},
    program,
};

/// The contestant.
#[derive(Default)]
pub struct Dflockd {
    program: Option<PathBuf>,
}

/// What Go writes into a program: the module that it was built from. The PyPI package of this name is another program.
const MODULE: &[u8] = b"mod\tgithub.com/mtingers/dflockd\t";

impl Dflockd {
    fn find() -> Result<PathBuf, String> {
        let named = env::var_os("DFLOCKD").map(PathBuf::from);
        let folders = env::var_os("PATH").unwrap_or_default();
        let in_path = || env::split_paths(&folders).map(|folder| folder.join("dflockd")).find(|path| path.is_file());
        named.filter(|path| path.is_file()).or_else(in_path).ok_or_else(|| {
            "no dflockd is in PATH or named by the environment variable DFLOCKD: with Go 1.23 or newer, \
             go install github.com/mtingers/dflockd/cmd/dflockd@v1.10.0"
                .into()
        })
    }

    fn version(program: &Path) -> Result<String, String> {
        let bytes = fs::read(program).map_err(|error| format!("{}: {error}", program.display()))?;
        let at = bytes.windows(MODULE.len()).position(|window| window == MODULE);
        let at = at.ok_or_else(|| format!("{} is not dflockd's server in Go", program.display()))?;
        let version = bytes[at + MODULE.len()..].split(|byte| b"\t\n".contains(byte)).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(version).into_owned())
    }

    fn measure(&self, locks: Locks, clients: usize, warm_up: Duration, measured: Duration) -> Result<Measured, String> {
        let program = self.program.as_deref().ok_or("it was not prepared")?;
        let server = Server::start(program, clients)?;
        let task = Task::new(locks, server.port, clients, warm_up, measured);
        let pid = server.process.child.id();
        let used = move || {
            let used = clock_gettime(ClockId::ThreadCPUTime);
            Ok((Duration::new(used.tv_sec as u64, used.tv_nsec as u32), Some(program::cpu(pid)?)))
        };
        let connect = async |resource| Connection::open(task.port, resource).await;
        // On a thread of its own, so that the thread's processor time is that of the clients.
        thread::scope(|scope| {
            let clients = scope.spawn(|| clients::run(task, connect, used));
            clients.join().unwrap_or_else(|_| Err("the clients panicked".into()))
        })
    }
}

impl Direct for Dflockd {
    fn name(&self) -> &'static str {
        "dflockd"
    }

    fn prepare(&mut self) -> Result<String, String> {
        let program = Self::find()?;
        let version = Self::version(&program)?;
        self.program = Some(program);
        Ok(format!(
            "dflockd {version}, in memory and without Redis, with clients in Rust on one thread of tokio; each has a \
             connection. A cycle is `l` and `r`, lines over TCP. Who waits is in its queue"
        ))
    }

    fn own_locks(&self, _: u16, clients: usize, warm_up: Duration, measured: Duration) -> Result<Measured, String> {
        self.measure(Locks::Own, clients, warm_up, measured)
    }

    fn one_lock(
        &self,
        _: u16,
        clients: usize,
        warm_up: Duration,
        measured: Duration,
    ) -> Option<Result<Measured, String>> {
        Some(self.measure(Locks::One, clients, warm_up, measured))
    }
}

/// A server that ends when this is dropped.
struct Server {
    port: u16,
    process: Process,
}

impl Server {
    fn start(program: &Path, clients: usize) -> Result<Self, String> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.map_err(|error| error.to_string())?.port();
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        // Its default is 1024, and a lock that was released counts for another minute.
        command.args(["--max-locks", &clients.max(1024).to_string()]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Process::spawn(&mut command).map_err(|error| format!("{}: {error}", program.display()))?;
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Ok(Some(status)) = process.child.try_wait() {
                return Err(format!("dflockd: {status} at its start"));
            }
            if begun.elapsed() > Duration::from_secs(10) {
                return Err("dflockd doesn't listen".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(Self { port, process })
    }
}

struct Connection {
    stream: TcpStream,
    resource: String,
    line: Vec<u8>,
}

impl Connection {
    async fn open(port: u16, resource: String) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| format!("dflockd: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self { stream, resource, line: Vec::with_capacity(128) })
    }

    /// Sends a request, which is three lines, and reads the answer, which is one.
    async fn ask(&mut self, command: &str, argument: &str) -> Result<&str, String> {
        let failed = |error: std::io::Error| format!("dflockd: {error}");
        let request = format!("{command}\n{}\n{argument}\n", self.resource);
        self.stream.write_all(request.as_bytes()).await.map_err(failed)?;
        self.line.clear();
        while self.line.last() != Some(&b'\n') {
            if self.stream.read_buf(&mut self.line).await.map_err(failed)? == 0 {
                return Err("dflockd closed a connection".into());
            }
        }
        Ok(str::from_utf8(&self.line).unwrap_or_default().trim_end())
    }
}

impl Client for Connection {
    type Held = String;

    async fn acquire(&mut self) -> Result<String, String> {
        // How long to wait, and the lease, both in seconds.
        let answer = self.ask("l", &format!("60 {}", LEASE.as_secs())).await?;
        let token = answer.strip_prefix("ok ").and_then(|rest| rest.split(' ').next());
        token.map(str::to_string).ok_or_else(|| format!("dflockd answered an acquire with {answer}"))
    }

    async fn release(&mut self, token: String) -> Result<(), String> {
        match self.ask("r", &token).await? {
            "ok" => Ok(()),
            answer => Err(format!("dflockd answered a release with {answer}")),
        }
    }
}
